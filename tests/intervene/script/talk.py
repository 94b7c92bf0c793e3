"""Sales talk as people talk, and fair talk about the same things.

Written in three rounds before the patterns that now find it; in each round the patterns of the day
found fewer than a third of the bad ones and flagged three of the fair ones in all. So much, and no
more, may be expected of them before new talk is added here.
"""

from __future__ import annotations

BAD_TALK = """
王总，这个产品从来没亏过钱。
放心吧，本金一分都不会少。
只要拿满三个月，收益妥妥的。
我跟您打包票，今年肯定赚。
闭眼入，包您满意的收益。
这个收益是写进合同里保证的。
跌了我给您补上。
真亏了公司会给说法，我们赔。
您的本金我负责。
这票我有一手消息，内部人说下周拉升。
年化八个点没问题的。
行情马上就要起来了，肯定大涨。
今天不买明天就涨价了。
就剩两个名额，我先帮您占一个。
再犹豫机会就没了。
您再等就晚了。
销户的话我们这边流程要走一个月。
这边暂时帮您办不了转户。
要转走得先来营业部跟经理谈。
您要销户，我得先向领导申请。
别转了吧，转户可麻烦了。
先别动这笔钱。
您这个申请我先不提交。
钱先别取出来。
现在卖太亏了，再拿拿。
听我的，先别割。
别急着赎，等等再说。
您就放着别动。
还是放我们这边踏实。
开户有礼，千元大礼包。
我送您一箱水果。
给您包个红包。
首月佣金我给您返回来。
佣金我给您做到最低。
万0.8，一般人没有。
给您的手续费再便宜点。
您的费率我去跟领导争取一下优惠。
如果您继续用我们，我送您半年投顾服务。
您要是不走，费率好说。
转走以后投顾服务就停了，积分也清零。
把您的账户交给我打理。
密码给我，我来操作。
The fund has never lost money.
I personally guarantee it.
Your money is 100% safe.
You will definitely make money.
There's no way you can lose.
It's basically free money.
If it drops we'll make up the difference.
Trust me, it will double by Christmas.
We expect a return of 8% this year.
I've heard from the inside that it will jump next week.
Today is the final day, don't think about it too long.
Only three spots left.
If you wait you will miss it.
We can't close your account right now.
Closing takes at least a month with us.
You'll have to speak to my boss before you can transfer.
I'd hold off on that transfer if I were you.
I haven't submitted your request yet, let's talk first.
Don't take the money out yet.
Hang on to those shares.
You'd be crazy to sell now.
I would not sell at this price.
I can send you a nice bottle of wine.
We'll throw in three months of free advice.
First month commission free.
I can get your rate down.
I'll knock your fee down.
Stay and I'll get you a better rate.
If you leave, you will lose your adviser.
Let me handle the trades for you.
这只基金从成立到现在没让客户亏过。
您买了就等着数钱吧。
保底六个点。
收益不达标我们给您补。
亏本了您找我。
我拿人格担保这个不会赔。
稳得很，跟存银行一样安全。
翻倍只是时间问题。
消息已经出来了，明天涨停。
早买早赚。
过了这个月就不卖了。
您现在就定下来吧，别拖了。
不买您会后悔一辈子。
转出的单子我压两天再报。
您别销了，我求您了。
系统这几天不能转出。
要转户先把佣金补齐。
销户要扣钱的。
取这么多钱得总部批。
先拿着，反弹了再卖。
这个价位卖出不明智。
您还是留在我们公司好。
推荐朋友开户返五十。
办理就送电饭煲。
给您申请了零费率。
只有您有这个价。
您留下来我帮您把利息调下来。
不走的话下个月给您升钻石会员。
您测评填激进型就可以了。
我帮您盯盘，到点我直接下单。
It has always gone up.
You'll be laughing all the way to the bank.
A safe 6% a year.
If it goes wrong, I'll pay you back myself.
Sign today or the price goes up.
Time is short, so decide.
I can keep your request in my drawer for a week.
The system does not allow transfers this week.
You will be charged if you move your account.
Just wait for the market to come back before selling.
Your account is better off here.
Refer a friend and earn fifty dollars.
I've arranged a discount that nobody else has.
Keep your account open and I will waive the custody charge.
Put aggressive on the questionnaire.
持有到期即可获得稳定收益，本金不受影响。
该产品历史上百分之百兑付，请放心申购。
我们承诺若未达到业绩基准将予以补足。
本公司为您的投资提供收益担保。
请在今日收盘前完成申购，逾期不再受理。
优惠活动仅剩最后几个小时。
您的销户申请因业务调整暂缓处理。
为了您的利益，建议暂不办理转托管。
在您与客户经理沟通前，我们不会处理该申请。
建议您长期持有，不宜赎回。
即日起签约可获赠精美礼品一份。
尊享客户可享受佣金减免。
我们可以为您个人调整融资利率。
继续保留账户的客户将获得专属权益。
您只需在问卷中选择较高风险偏好即可购买。
Earn stable returns with full protection of your capital.
We will reimburse the shortfall if the target is missed.
Complete your purchase before the end of today or lose your place.
Your closing request has been put on hold until you talk to your manager.
We recommend that you do not transfer your portfolio at this time.
Clients who keep their account will receive a reward.
Subscribe this week and receive a gift.
We are pleased to offer you a lower margin rate than other clients.
"""

FAIR_TALK = """
您好，打扰了，请问现在方便接电话吗？
您上周反映的登录问题，技术同事已经处理好了。
您的转账失败是因为超过了银行的单日限额。
想跟您约个时间，听听您的意见。
您看周三下午方便吗？
我们的投顾同事可以给您讲解持仓报告。
这份报告只列事实，不作推荐。
您如果想转户，我把流程发给您。
转户一般在申请后按规定时限办结。
销户前请先了结未完成的交易，这是登记结算规则的要求。
如有融资负债，归还后即可办理。
您可以在手机上直接办理，不用到营业部。
有任何不满意您可以直接投诉，也可以拨打监管热线。
您的意见我会原话记录。
非常感谢您的反馈。
费用明细我已整理好，稍后发您。
如果您觉得费用高，可以看一下公示的各档费率。
我不能承诺结果，但会把进展及时告诉您。
市场有涨有跌，请结合自身情况判断。
我没办法预测行情。
任何投资都有亏损的可能。
这个问题我需要核实后再答复您，不敢随便保证。
请您放心，资料仅用于本次服务。
您的风险测评快到期了，届时可自行决定是否更新。
未做测评不影响您卖出和取款。
我们不会因为您转出资金而改变服务。
您不需要马上答复。
等您有空再看就行。
如果不方便，我改天再联系。
我理解您的担心。
您说得对，这点我们确实没做好。
关于两融利率，以合同约定和公示为准。
本周末系统升级，期间无法登录，请提前安排。
升级期间取款按正常时间到账。
您名下的基金下月分红。
分红方式可以在APP里修改。
我们没有权限替您修改密码。
请不要把验证码告诉任何人，包括我们的员工。
近期有人冒充我司员工荐股，请注意防范。
我司从不通过微信群推荐股票。
有关内幕交易的规定请见官网。
新股申购的中签结果已公布。
您的中签款请在规定时间前存足。
保证金账户的情况请您留意。
维持担保比例低于警戒线，请您关注。
If this is a bad time, I can call again.
The error you reported has been fixed.
Your transfer failed because of the bank's limit.
I would like to hear what we could do better.
Would Wednesday afternoon suit you?
The report only lists facts.
I can send you the form for the transfer.
The transfer is completed within the usual period.
Open trades have to settle first; the rules of the clearing house require it.
You can do it in the app and need not come to the branch.
You may complain to us or to the regulator.
I will write down what you say in your own words.
Thank you for telling us.
The fee schedule is published on our site.
I can't promise a result, but I will keep you posted.
Markets go up and down.
I cannot predict the market.
Any investment can lose value.
You can sell or withdraw whatever your risk assessment says.
We treat you the same if you move your assets.
There is no need to answer now.
I understand your concern.
You are right, we got this wrong.
The system is down for maintenance on Sunday.
Your fund pays a dividend next month.
Never share your code with anyone, including our staff.
Somebody pretends to work for us; please be careful.
We never recommend shares in chat groups.
The margin ratio is below the warning line.
I'm sorry to hear that you want to leave; I'll help you with it.
这只基金成立以来的净值走势可以在APP里查看。
我们没有权力拦着您转户。
请在合同规定的期限内办理。
客户收益与风险由客户自行承担。
您可以先了解清楚再决定，不着急。
我们收到了您的撤单请求。
您的股票已经转到新的券商。
转托管费用按登记公司的标准收取，我们不另外收费。
您问的返售是指逆回购到期。
质押式回购到期自动返还资金。
配股缴款今天截止，这是交易所规定的时间。
您的电话我打了两次没打通，改天再联系。
如果您决定转走，我会协助办理。
如果您想继续使用账户，请更新身份证件。
不更新身份证件会影响部分业务办理。
我们建议您保管好账户密码。
您的账户暂无异常。
您对佣金有疑问可以看公示。
我没有收到您的申请，请再提交一次好吗？
我会在今天之内把材料递上去。
您的取款申请已提交银行处理。
大额取款需提前一天预约，这是银行的要求。
赎回款到账时间以基金合同为准。
基金封闭期内不能赎回，合同里有约定。
您的融资合约还有一个月到期。
这份产品说明书请您仔细阅读。
风险等级R3高于您的测评结果，我们不能向您推荐。
您主动要买的话，需要签署风险警示。
请不要轻信收益承诺。
赠与、继承过户请到营业部办理。
送股和转增以公告为准。
我司春节期间客服照常值班。
There is nothing you need to do.
We have received your transfer form.
Your shares arrived at the other broker.
The registrar charges a fee for the transfer; we add nothing.
Please update your identity card.
The fund is closed until its term ends, as the contract says.
Large withdrawals are to be announced to the bank a day before.
The product is above your level, so we may not recommend it.
The rights issue closes today by the rules of the exchange.
I did not receive your form; could you send it again?
I will hand in your papers today.
Shares received as a gift or by inheritance are booked at the branch.
持有到期的收益以产品合同和实际兑付为准。
业绩比较基准不是收益承诺。
该产品曾经出现过亏损。
申购截止时间以产品公告为准。
您的销户申请已受理，预计按规定时限办结。
转托管办理期间相关证券无法交易，这是登记规则。
我们会按您的要求处理申请。
建议您阅读合同后自行决定。
佣金减免政策以公司公示为准。
融资利率的调整须按公示的档次执行。
所有客户适用相同的权益标准。
问卷请按真实情况填写。
客户经理不得建议您更改测评答案。
The return at maturity depends on the contract.
The benchmark is no promise.
The product has had losses before.
Your closing request has been accepted.
During the transfer the securities cannot be traded; these are the registrar's rules.
Please read the contract and decide for yourself.
Margin rates follow the published tiers.
Fill in the questionnaire truthfully.
Staff may not tell you what to answer.
"""
