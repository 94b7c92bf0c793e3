"use strict";
(function () {
  var root = document.documentElement;
  var options = JSON.parse(document.getElementById("chart-data").textContent);
  if (!window.echarts) return; /* the tables stay open in the charts' place */
  root.classList.add("js");
  document.querySelectorAll("figure details").forEach(function (d) { d.open = false; });

  function formatter(style, lang) {
    if (style === "percent") {
      var share = new Intl.NumberFormat(lang, { style: "percent", maximumFractionDigits: 1 });
      return function (v) { return share.format(v); };
    }
    var plain = new Intl.NumberFormat(lang, { maximumFractionDigits: 2 });
    return style === "times"
      ? function (v) { return plain.format(v) + "×"; }
      : function (v) { return plain.format(v); };
  }

  /* Words come as text and go in as text: nothing from the data is ever read as HTML. */
  function tip(params) {
    var box = document.createElement("div");
    box.className = "tip";
    ((params.data && params.data.tip) || []).forEach(function (pair) {
      var row = box.appendChild(document.createElement("div"));
      pair.forEach(function (text) {
        row.appendChild(document.createElement("span")).textContent = text;
      });
    });
    return box.childNodes.length ? box : "";
  }

  /* Legend rows beyond the first, estimated from the width of the names. */
  function extraRows(option, width) {
    var rows = 0, used = 0;
    option.series.forEach(function (s) {
      var need = s.name ? 54 + s.name.replace(/[^\x00-\xff]/g, "xx").length * 7.4 : 0;
      if (used && used + need > width) { rows += 1; used = 0; }
      used += need;
    });
    return rows;
  }

  function prepare(option, lang, width) {
    if (option.legend) option.grid.top += 22 * extraRows(option, width);
    option.textStyle.fontFamily = getComputedStyle(document.body).fontFamily;
    option.tooltip.formatter = tip;
    ["xAxis", "yAxis"].forEach(function (name) {
      var axis = option[name], label = axis.axisLabel;
      if (label.style) label.formatter = formatter(label.style, lang);
      if (label.width) label.width = Math.min(label.width, Math.round(width * 0.36));
      if (width < 480 && axis.type === "value") axis.splitNumber = 4;
    });
    option.series.forEach(function (s) {
      if (s.label && s.label.style) {
        var write = formatter(s.label.style, lang);
        s.label.formatter = function (p) { return write(p.value); };
      }
    });
    return option;
  }

  function draw(box, lang) {
    var own = options[lang.slice(0, 2)][box.dataset.chart];
    var chart = echarts.init(box, null, { renderer: "svg" });
    function lay() {
      chart.setOption(prepare(JSON.parse(JSON.stringify(own)), lang, box.clientWidth), true);
    }
    function fit() {
      var svg = box.querySelector("svg");
      if (svg) svg.setAttribute("viewBox", "0 0 " + chart.getWidth() + " " + chart.getHeight());
    }
    lay();
    chart.on("finished", fit);
    fit();
    if (window.ResizeObserver) {
      new ResizeObserver(function () {
        var width = box.clientWidth;
        if (window.matchMedia("print").matches || !width || width === chart.getWidth()) return;
        chart.resize();
        lay();
        fit();
      }).observe(box);
    }
    box.dataset.drawn = "1";
  }

  function show() {
    var zh = document.getElementById("show-zh").checked;
    var page = document.querySelector(zh ? ".page[lang|=zh]" : ".page[lang|=en]");
    root.lang = page.lang;
    document.title = page.dataset.title;
    page.querySelectorAll("[data-chart]").forEach(function (box) {
      if (!box.dataset.drawn) draw(box, page.lang);
    });
  }

  ["show-en", "show-zh"].forEach(function (id) {
    document.getElementById(id).addEventListener("change", show);
  });
  if (location.hash === "#zh" || location.hash === "#en") {
    document.getElementById("show-" + location.hash.slice(1)).checked = true;
  }
  show();
})();
