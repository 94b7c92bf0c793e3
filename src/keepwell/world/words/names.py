"""Names of people, put together from common surnames and given names; nobody in particular."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.world.dynamics.chance import stream

SURNAMES: Final = tuple(
    "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡"
    "余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎"
)
"""From the most common one downwards."""

_ONE: Final = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚睿琳慧鑫鹏宁婷波斌莉萍辉玲健亮云帆凯丹倩蕾颖雪瑞翔昊"
)
_TWO: Final = (
    "桂英秀英玉兰建国建华志强海燕晓明文静子涵雨桐浩然思远欣怡梓轩佳怡宇航嘉豪晨曦雪梅国栋春燕"
    "立新永红小红红梅玉珍凤英俊杰天佑一诺若曦诗涵博文"
)
GIVEN: Final = (*_ONE, *(_TWO[at : at + 2] for at in range(0, len(_TWO), 2)))

NAMES: Final = tuple(surname + given for surname in SURNAMES for given in GIVEN)
"""Every name there can be."""


def draw_names(seed: int, shard: int, people: int) -> npt.NDArray[np.int32]:
    """Which of `NAMES` each person of a shard has; common surnames more often.

    Args:
        seed: the world's.
        shard: number of the shard.
        people: how many.
    """
    rng = stream(seed, "names", shard)
    weights = 1.0 / np.arange(3, 3 + len(SURNAMES))
    surnames = rng.choice(len(SURNAMES), people, p=weights / weights.sum())
    return (surnames * len(GIVEN) + rng.integers(0, len(GIVEN), people)).astype(np.int32)
