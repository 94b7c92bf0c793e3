// The workbench's script: clocks that run, news that come, keys, charts. Pages work without it.
(() => {
  "use strict";
  const body = document.body;
  const zh = document.documentElement.dataset.locale === "zh";
  const skew = Number(body.dataset.now || 0) - Date.now() / 1000;
  const words = zh
    ? { s: "{n} 秒", min: "{n} 分钟", h: "{n} 小时", d: "{n} 天", left: "剩 {span}", late: "超时 {span}" }
    : { s: "{n} s", min: "{n} min", h: "{n} h", d: "{n} d", left: "{span} left", late: "{span} overdue" };
  const say = (key, n) => words[key].replace("{n}", n).replace("{span}", n);

  const span = (seconds) => {
    const s = Math.floor(Math.abs(seconds));
    if (s < 60) return say("s", s);
    if (s < 3600) return say("min", Math.floor(s / 60));
    if (s < 86400) {
      const m = Math.floor((s % 3600) / 60);
      return say("h", Math.floor(s / 3600)) + (m ? " " + say("min", m) : "");
    }
    const d = Math.floor(s / 86400), h = Math.floor((s % 86400) / 3600);
    return say("d", d) + (h && d < 10 ? " " + say("h", h) : "");
  };

  const tick = () => {
    const now = Date.now() / 1000 + skew;
    for (const item of document.querySelectorAll("[data-due]")) {
      const left = Number(item.dataset.due) - now;
      const text = say(left < 0 ? "late" : "left", span(left));
      if (item.textContent !== text) item.textContent = text;
      item.classList.toggle("kw-late", left < 0);
      item.classList.toggle("kw-soon", left >= 0 && left < 3600);
      item.classList.toggle("kw-calm", left >= 3600);
    }
  };
  tick();
  setInterval(tick, 1000);

  // News: the stream only says that something is new; htmx asks for the part that changed.
  if (body.dataset.live === "1" && window.EventSource) {
    const note = document.getElementById("kw-offline");
    let failed = 0;
    const stream = new EventSource("/live");
    stream.onopen = () => { failed = 0; if (note) note.hidden = true; };
    stream.onerror = () => {
      failed += 1;
      if (note && (failed > 2 || !navigator.onLine)) note.hidden = false;
      if (stream.readyState === EventSource.CLOSED && navigator.onLine) location.reload();
    };
    for (const name of ["queue", "notices"]) {
      stream.addEventListener(name, () => body.dispatchEvent(new CustomEvent("kw:" + name)));
    }
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  // Keys: j and k walk the rows of the first list, Enter opens, x chooses, / searches.
  let at = -1;
  const rows = () => [...document.querySelectorAll("[data-rows] [data-href]")];
  const stand = (to) => {
    const all = rows();
    if (!all.length) return;
    at = Math.max(0, Math.min(all.length - 1, to));
    all.forEach((row, i) => row.classList.toggle("kw-at", i === at));
    all[at].scrollIntoView({ block: "nearest" });
    const link = all[at].querySelector("a[href]");
    if (link) link.focus({ preventScroll: true });
  };
  addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && target.type !== "checkbox") return;
    if (document.querySelector("dialog[open]")) return;
    const key = event.key;
    if (key === "j") stand(at + 1);
    else if (key === "k") stand(at - 1);
    else if (key === "x" && rows()[at]) {
      const box = rows()[at].querySelector("input[type=checkbox]");
      if (box) box.click();
    } else if (key === "/" && document.querySelector("[data-search]")) document.querySelector("[data-search]").focus();
    else if (key === "?") document.getElementById("kw-keys")?.showModal();
    else return;
    event.preventDefault();
  });
  addEventListener("htmx:after:swap", () => {
    tick();
    draw();
    if (at >= 0) rows().forEach((row, i) => row.classList.toggle("kw-at", i === at));
  });

  // Small things: dialogs by name, choose all, fields that send their form, menus that close.
  addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open)?.showModal();
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog")?.close();
    for (const menu of document.querySelectorAll("details.kw-menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const menu of document.querySelectorAll("details.kw-menu[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  const boxes = (form) => [...form.elements].filter((item) => item.matches("input[data-row]"));
  const count = (form) => {
    const chosen = boxes(form).filter((box) => box.checked).length;
    for (const item of form.querySelectorAll("[data-chosen]")) item.textContent = chosen;
    for (const item of form.querySelectorAll("[data-needs-rows]")) item.disabled = !chosen;
  };
  const countAll = () => { for (const form of document.forms) if (form.querySelector("[data-needs-rows],[data-row]")) count(form); };
  addEventListener("change", (event) => {
    const box = event.target;
    const form = box.form;
    if (!form) return;
    if (box.matches("[data-all]")) for (const row of boxes(form)) row.checked = box.checked;
    if (box.matches("[data-all],[data-row]")) count(form);
    if (box.matches("[data-sends]")) form.requestSubmit();
  });
  countAll();
  addEventListener("htmx:after:swap", countAll);
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.ask && !confirm(form.dataset.ask)) { event.preventDefault(); return; }
    if (form.method === "post") setTimeout(() => { for (const b of form.querySelectorAll("button")) b.disabled = true; }, 0);
  });
  document.querySelector(".kw-trouble")?.focus();
  addEventListener("focusin", (event) => { if (event.target.matches("[data-copied]")) event.target.select(); });

  // A link to something that is folded unfolds it; a file that is too large is told before it goes.
  const unfold = (id) => {
    const place = id && document.getElementById(id);
    if (place instanceof HTMLDetailsElement) place.open = true;
    return place;
  };
  unfold(location.hash.slice(1));
  addEventListener("click", (event) => {
    const link = event.target.closest("[data-unfold]");
    const place = link && unfold(link.dataset.unfold);
    if (place) setTimeout(() => place.querySelector("select, textarea, input:not([type=hidden]), button")?.focus({ preventScroll: true }), 0);
  });
  addEventListener("change", (event) => {
    const field = event.target;
    if (!field.dataset.most || !field.files) return;
    const over = [...field.files].some((file) => file.size > Number(field.dataset.most));
    field.setCustomValidity(over ? field.dataset.tooLarge : "");
    if (over) field.reportValidity();
  });

  // Charts: what they show is in a data block; colours come from the page.
  const drawn = new Set();
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const palette = () => ["--kw-brand", "--kw-moderate", "--kw-good", "--kw-severe", "--kw-mild", "--kw-none"].map(css);
  const given = new WeakMap();
  function draw(anew = false) {
    if (!window.echarts) return;
    for (const place of document.querySelectorAll(".kw-chart")) {
      const old = echarts.getInstanceByDom(place);
      if (old && !anew) continue;
      if (old) { drawn.delete(old); old.dispose(); }
      const block = place.querySelector(".kw-data");
      if (block) given.set(place, JSON.parse(block.textContent));
      const data = given.get(place);
      if (!data) continue;
      const option = (builders[place.dataset.kind] || builders.plain)(data);
      place.style.height = place.dataset.height + "px";
      const chart = echarts.init(place, null, { renderer: "svg" });
      chart.setOption({ textStyle: { fontFamily: getComputedStyle(body).fontFamily, color: css("--kw-ink") }, color: palette(), animation: false, aria: { enabled: false }, ...option });
      chart.on("click", (p) => { const link = p.data?.link || (data.series?.[p.seriesIndex]?.links || data.links || [])[p.dataIndex]; if (link) location.href = link; });
      drawn.add(chart);
    }
  }
  const axis = (extra) => ({ axisLine: { lineStyle: { color: css("--kw-line") } }, axisTick: { show: false }, axisLabel: { color: css("--kw-soft"), hideOverlap: true }, splitLine: { lineStyle: { color: css("--kw-line") } }, ...extra });
  const compact = (v, digits = 1) => new Intl.NumberFormat(zh ? "zh-CN" : "en-GB", { notation: "compact", maximumFractionDigits: digits }).format(v);
  const shares = (v) => new Intl.NumberFormat(zh ? "zh-CN" : "en-GB", { style: "percent", maximumFractionDigits: 1 }).format(v);
  const shape = (v, unit, digits) => (v === null || v === undefined ? "–" : unit === "share" ? shares(v) : compact(v, digits));
  const few = () => (innerWidth < 600 ? 3 : 5);
  const label = (d) => ({ color: css("--kw-soft"), hideOverlap: true, ...(d.horizontal ? { width: Math.min(220, innerWidth * .32), overflow: "break" } : {}) });
  const escaped = (s) => String(s).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  // data: {x: [...], series: [{name, values, kind: line|bar|scatter, stack, dashed}], unit: amount|share|count, marks: [{x, name}], links: [...], horizontal}
  const builders = {
    // data: {name, points: [[time, score, day]], levels: [{y, name}], events: [{name, shape, at: [[time, title, day]]}]}
    score: (d) => ({
      grid: { left: 8, right: 72, top: 40, bottom: 8, containLabel: true },
      legend: { top: 0, left: 0, textStyle: { color: css("--kw-ink") } },
      tooltip: { trigger: "item", confine: true, backgroundColor: css("--kw-paper"), borderColor: css("--kw-line"), textStyle: { color: css("--kw-ink") }, formatter: (p) => (p.data && p.data.said ? p.data.said.map(escaped).join("<br>") : "") },
      xAxis: axis({ type: "time", splitLine: { show: false }, axisLabel: { color: css("--kw-soft"), hideOverlap: true, formatter: (v) => new Intl.DateTimeFormat(zh ? "zh-CN" : "en-GB", { month: "short", year: "numeric" }).format(v) }, minInterval: 26784e5 }),
      yAxis: axis({ type: "value", min: 0, max: 100, axisLabel: { color: css("--kw-soft") } }),
      series: [
        { name: d.name, type: "line", symbolSize: 7, data: d.points.map(([x, y, day]) => ({ value: [x, y], said: [day, `${d.name}: ${y}`] })), markLine: { silent: true, symbol: "none", label: { color: css("--kw-soft"), formatter: "{b}" }, lineStyle: { color: css("--kw-soft"), type: "dashed" }, data: d.levels.map((m) => ({ yAxis: m.y, name: m.name })) } },
        ...d.events.map((e) => ({ name: e.name, type: "scatter", symbol: e.shape, symbolSize: 12, data: e.at.map(([x, title, day]) => ({ value: [x, 4], said: [day, title] })) })),
      ],
    }),
    // data: {names: [...] (or numeric: true and x in each point), points: [{x, value, low, high, said: [line], link}], levels: [{at, name}], unit, min, max, horizontal, diagonal: {to, name}, x_name, y_name}
    intervals: (d) => {
      const at = (p, i, v) => (d.horizontal ? [v, i] : [d.numeric ? p.x : i, v]);
      const named = { nameTextStyle: { color: css("--kw-soft") } };
      const said = axis({ type: "value", splitNumber: few(), min: d.min ?? undefined, max: d.max ?? undefined, name: d.y_name || "", nameTextStyle: { color: css("--kw-soft"), align: "left" }, axisLabel: { color: css("--kw-soft"), hideOverlap: true, formatter: (v) => shape(v, d.unit) } });
      const along = d.numeric ? axis({ type: "value", name: d.x_name || "", nameLocation: "middle", nameGap: 26, ...named, axisLabel: { color: css("--kw-soft"), hideOverlap: true, formatter: (v) => shape(v, d.unit) } }) : axis({ type: "category", data: d.names, inverse: !!d.horizontal, splitLine: { show: false }, axisLabel: label(d) });
      const line = { symbol: "none", silent: true };
      const bars = d.points.flatMap((p, i) => (p.low === null ? [] : [[{ coord: at(p, i, p.low) }, { coord: at(p, i, p.high) }]]));
      const series = [{ type: "scatter", symbolSize: 9, data: d.points.map((p, i) => ({ value: at(p, i, p.value), said: p.said, link: p.link })), markLine: { ...line, label: { show: false }, lineStyle: { type: "solid", width: 2, color: css("--kw-brand"), opacity: .6 }, data: bars } }];
      if (d.levels) series.push({ type: "scatter", data: [], markLine: { ...line, label: { color: css("--kw-soft"), formatter: "{b}", position: d.horizontal ? "start" : "insideEndTop" }, lineStyle: { color: css("--kw-soft"), type: "dashed" }, data: d.levels.map((l) => ({ [d.horizontal ? "xAxis" : "yAxis"]: l.at, name: l.name })) } });
      if (d.diagonal) series.push({ type: "line", silent: true, symbol: "none", data: [[0, 0], [d.diagonal, d.diagonal]], lineStyle: { type: "dashed", color: css("--kw-soft") } });
      return {
        grid: { left: 8, right: 24, top: d.y_name || d.levels ? 32 : 12, bottom: d.x_name ? 28 : 8, containLabel: true },
        tooltip: { trigger: "item", confine: true, backgroundColor: css("--kw-paper"), borderColor: css("--kw-line"), textStyle: { color: css("--kw-ink") }, formatter: (p) => (p.data && p.data.said ? p.data.said.map(escaped).join("<br>") : "") },
        xAxis: d.horizontal ? said : along, yAxis: d.horizontal ? along : said, series,
      };
    },
    plain: (d) => {
      const value = axis({ type: "value", splitNumber: few(), axisLabel: { color: css("--kw-soft"), hideOverlap: true, formatter: (v) => shape(v, d.unit, d.scale ? 2 : 1) }, min: d.min ?? undefined, max: d.max ?? undefined, scale: !!d.scale, name: d.y_name || "", nameTextStyle: { color: css("--kw-soft") } });
      const names = axis({ type: "category", data: d.x, inverse: !!d.horizontal, splitLine: { show: false }, axisLabel: label(d) });
      return {
        grid: { left: 8, right: 16, top: d.series.length > 1 || d.y_name ? 40 : 16, bottom: 8, containLabel: true },
        legend: d.series.length > 1 ? { top: 0, left: 0, textStyle: { color: css("--kw-ink") } } : undefined,
        tooltip: { trigger: d.trigger || "axis", confine: true, backgroundColor: css("--kw-paper"), borderColor: css("--kw-line"), textStyle: { color: css("--kw-ink") }, formatter: (p) => { const all = Array.isArray(p) ? p : [p]; return [escaped(all[0].name || all[0].axisValueLabel), ...all.filter((i) => i.value !== null && i.value !== undefined).map((i) => `${escaped(i.seriesName)}: ${escaped(shape(Array.isArray(i.value) ? i.value[1] : i.value, d.unit, 2))}`)].join("<br>"); } },
        xAxis: d.horizontal ? value : names, yAxis: d.horizontal ? names : value,
        series: d.series.map((s, i) => ({
          name: s.name, type: s.kind || "line", data: s.values, stack: s.stack, symbol: s.kind === "line" || !s.kind ? "circle" : undefined, symbolSize: 5, showSymbol: s.values.length < 40, barMaxWidth: 28,
          lineStyle: s.dashed ? { type: "dashed" } : undefined,
          itemStyle: s.colour ? { color: css("--kw-" + s.colour), borderColor: css("--kw-paper"), borderWidth: 1 } : undefined,
          markLine: i === 0 && (d.marks || d.levels) ? { symbol: "none", label: { color: css("--kw-soft"), formatter: "{b}" }, lineStyle: { color: css("--kw-soft"), type: "dashed" }, data: [...(d.marks || []).map((m) => ({ xAxis: m.x, name: m.name })), ...(d.levels || []).map((m) => ({ yAxis: m.y, name: m.name }))] } : undefined,
        })),
      };
    },
  };
  draw();
  addEventListener("resize", () => drawn.forEach((chart) => chart.resize()));

  // On paper: dark on white, every table of a chart unfolded; afterwards as it was.
  let before = null;
  addEventListener("beforeprint", () => {
    const root = document.documentElement;
    before = { theme: root.dataset.bsTheme, folded: [...document.querySelectorAll("details.kw-table:not([open])")] };
    root.dataset.bsTheme = "light";
    for (const item of before.folded) item.open = true;
    for (const place of document.querySelectorAll(".kw-chart")) place.style.width = Math.min(place.clientWidth, place.closest(".kw-half") ? 330 : 680) + "px";
    if (drawn.size) draw(true);
  });
  addEventListener("afterprint", () => {
    if (!before) return;
    if (before.theme) document.documentElement.dataset.bsTheme = before.theme; else delete document.documentElement.dataset.bsTheme;
    for (const item of before.folded) item.open = false;
    for (const place of document.querySelectorAll(".kw-chart")) place.style.width = "";
    before = null;
    if (drawn.size) draw(true);
  });
})();
