"""Sentences that no client may get, by rule, and sentences that look like them and are fine."""

from __future__ import annotations

BAD = {
    "SU-8": """
这款产品保本保息，您放心。
本金绝对安全，收益有保证。
买了稳赚不赔，我自己也买了。
我保证您一年赚钱。
跟着我们做，肯定赚。
这只一定会涨，别犹豫。
绝对不会亏，放心。
零风险高回报。
没有任何风险。
高收益低风险的好机会。
亏了算我的。
万一亏损，公司承担。
损失由我们补偿给您，我们补足差额。
我们兜底。
您的投资损失我来赔。
躺赚的机会。
旱涝保收。
承诺年化收益。
确保您的本金不受损失。
必涨，闭眼买。
您把密码发给我，我帮您下单。
全权委托给我就行。
我替您操盘。
我有内幕消息。
包赚不赔。
怎么可能会亏钱，不会亏的。
稳稳赚。
铁定回本。
这产品刚性兑付。
不用担心保本问题，肯定保本。
Guaranteed returns every year.
We guarantee that you will not lose.
This is a risk-free product.
There is no risk at all.
You cannot lose with it.
It will definitely go up.
Your principal is fully guaranteed.
We promise you a profit.
We will cover any loss.
If it falls we will make you whole.
Losses are on us.
It is a sure thing.
You can't go wrong with this.
Double your money with us.
We will compensate you for your losses.
Let me trade for you.
Just give me your password.
I have inside information.
The price is certain to rise.
Easy money.
Assured income for life.
Leave the trading to me.
We'll refund your losses.
You have nothing to lose.
Never lose again.
""",
    "FINRA-2210": """
预期年化收益率可达百分之八。
预计会大涨。
下个月肯定会涨。
有望翻倍。
年底收益翻倍。
目标收益率为百分之十。
很快反弹。
资产翻番不是梦。
Expected return of eight per cent.
The projected yield is high.
It will return ten per cent a year.
The stock is about to soar.
Our price target is high.
It should skyrocket.
""",
    "HOUSE": """
最后机会，错过后悔。
仅限今天，名额有限。
赶紧买，手慢无。
机不可失。
您必须今天决定。
再不买就来不及了。
错过就没有了。
马上下单吧。
过时不候。
您会后悔的。
限时抢购。
尽快转入资金。
This is your last chance.
Act now.
Only today.
You will regret it.
Hurry up.
Buy now before it is too late.
Places are limited.
Limited time offer.
Don't miss out.
You must decide today.
The offer ends tonight.
It is now or never.
""",
    "R-EXIT-1": """
您先别急着转走。
不要销户。
千万别把钱转走。
目前无法办理销户。
转托管暂停办理。
销户需要经理审批。
必须先面谈才能转出。
您的转户申请我先压一压。
销户会影响您的征信。
转户手续很麻烦。
请您撤回投诉。
能不能先撤销投诉申请。
我们会冻结您的账户。
别投诉了。
不要取款。
撤指定要先经领导同意。
系统暂停转出。
我帮您缓一缓，晚几天办。
限制您的取款。
把投诉撤了吧。
销户要先找客户经理签字。
先不要转出。
Please don't transfer your account.
Do not close your account.
We cannot process your withdrawal.
Withdrawals are currently suspended.
You need approval from my manager before closing.
You must meet with us before the transfer.
We will freeze your account.
I will delay your transfer.
Leaving will hurt your credit.
Transferring is very complicated.
Please withdraw your complaint.
Hold off on closing your account.
We won't let you leave until you meet the director.
There is no need to complain.
Your transfer is on hold.
I will sit on your request.
Don't leave us.
""",
    "REG-BI": """
建议您继续持有。
现在别卖。
千万不要赎回。
您最好拿着不动。
坚定持有，不要割肉。
不建议您现在卖出。
放在我们这里更安全。
建议您把资产留在我们这里。
拿住就好。
卖了就亏了。
继续持有为好。
捂住别动。
现在不宜止损。
请继续持有。
You should hold on to it.
Don't sell now.
I would keep holding.
We recommend that you stay invested.
Just sit tight.
It's best to stay put.
You should not sell your shares.
We suggest you keep your assets with us.
It is the wrong time to sell.
We advise against selling now.
Never redeem in a panic, do not redeem.
Keeping your assets here with us is best: leave your money with us, keep your money here is safer.
""",
    "IN-1": """
我们给您返佣。
送您一份礼品。
新客送红包。
开户领体验券。
送京东卡。
免佣金。
零佣金交易。
0佣金。
佣金全免。
免五。
积分兑换话费。
手续费返还，返现给您。
送您一张优惠券。
免费送投顾服务。
全网最低佣金。
赠送话费。
佣金打五折。
有好处给您。
参加抽奖。
We will pay you a rebate.
Get a gift card.
Here is a voucher.
Zero commission for you.
Commission-free trading.
Free trades for a month.
Welcome bonus.
We offer cashback.
You get reward points.
We waive the fee.
Lowest commission in town.
A red packet for every client.
Sign-up bonus of cash.
No commission at all.
A small kickback.
""",
    "IN-2": """
我给您单独申请一个佣金优惠。
专属费率只给您。
给您降佣金。
佣金可以商量。
您的佣金降到万分之一。
特批的费率。
我帮您把费率调低一点，费率可以再降。
别人拿不到的费率。
内部价格，内部费率。
为您个人申请更低的佣金。
A special rate just for you.
I can lower your commission.
We will cut your fees.
The commission is negotiable.
An exclusive discount for you.
I will give you a better rate.
We match your fee.
Nobody else gets this rate.
""",
    "IN-3": """
如果您不走，我们就给您升级。
只要留下来，就送服务。
只要您不销户，可以享受优惠。
满半年不转出，就给权益。
您答应不转走，我立即安排。
离开的话就会失去所有优惠。
若您撤回申请，我们可以加急处理。
销户要收违约金，违约金另付。
不转走就给您升级服务。
If you stay, we will upgrade you.
As long as you don't leave, you will receive the report.
In return for staying you get an adviser.
If you leave you lose your service.
Stay with us and get a report.
Once you cancel the transfer we can help.
There is an exit fee.
Provided you keep your account, you get the newsletter, we will send it.
""",
    "SU-2": """
您重新做一下测评就能买了。
测评的时候选激进。
风险等级不重要。
适合所有人。
帮您调高一下风险等级就可以买。
Retake the risk assessment so you can buy it.
The risk level is just a formality.
It is suitable for everyone.
""",
}

COMPLAINT = """
给您推荐一只基金。
有个新产品您可以了解。
要不要升级投顾？
希望您继续留下。
May I recommend a fund?
We have a new product.
Would you upgrade to the plan?
Please remain, stay with us.
"""

EXIT = """
希望您留下来。
请您再考虑一下。
再给我们一次机会。
为什么要走？
舍不得您。
我们想挽留您。
别的券商不如我们。
求您别走。
Please reconsider.
Give us another chance.
Why do you want to leave?
We hope you will stay.
Think twice before you leave.
Other brokers cannot do this.
"""

GOOD = """
我们不承诺收益。
本公司不保证本金和收益。
任何人都不能保证投资赚钱。
我们不得承诺保本保息。
投资有风险，入市需谨慎。
过往业绩不代表未来表现。
凡是承诺保本的都是骗局。
请警惕宣称稳赚不赔的广告。
谨防以内幕消息为名的诈骗。
严禁员工向客户承诺收益。
没有零风险的投资。
不存在稳赚不赔的产品。
该产品不保本。
这不是保本产品。
并非零风险。
本基金为非保本产品，可能损失本金。
从不承诺保本。
请勿相信任何人承诺的高收益。
我们无法保证收益。
这项投资并不保证盈利。
无风险利率近期下降。
由第三方担保。本公司不收取费用。
确保本次沟通内容准确。
医保本月起调整。
您的资金由银行第三方存管。
我们依法保护您的资金安全。
证券公司不赔偿投资损失。
我们不会补偿投资亏损，也不得分担损失。
您可能会问会不会亏，答案是有可能。
申购冻结资金将按规则解冻。
您是否继续持有由您自己决定。
要不要卖出由您自己决定。
您想不想转走，都由您决定。
本次来电不构成买入、卖出或持有的建议。
请持有效身份证件到营业部办理。
您持有的产品已到期。
您可以随时卖出。
您随时可以转出资金。
销户不会影响您的征信。
销户不需要我们审批。
转托管无需经理同意。
我们不会阻拦您转户。
我们不得拒绝销户。
您的投诉我们已受理。
您有权投诉，我们不得要求撤诉。
我们不会要求您撤回投诉。
不会冻结您的账户。
您的取款已到账。
不要向陌生人透露密码。
请勿将密码告诉我或任何人。
我不能代您操作账户。
我们不接受全权委托。
不得代客理财。
我们不返佣。
我们不赠送礼品。
严禁向客户返佣或赠送礼品。
公司没有任何返现活动。
我们不提供体验券。
避免佣金误解，请以公示为准。
佣金按公示档次收取。
费率对所有客户一视同仁。
无法为您单独下调佣金。
我们不能给您单独定价，不提供专属费率。
佣金不可以商量，不能再降。
服务与您是否离开无关。
无论您留下还是离开，我们都会办好。
销户不收违约金。
没有名额限制，您慢慢考虑。
不必着急，您可以多考虑几天。
您不用今天决定。
没有时间限制。
我们会尽快签收您寄来的材料。
请尽快联系我们处理转账失败的问题。
我把说明发送到您的手机。
对账单已发送至您的邮箱。
现金分红明细已发送给您。
礼貌是服务的基本要求。
证券账户资料已送达。
资料已配送。
这位客户个别卖出属于正常。
风险等级是重要的，请如实填写测评。
是否重新测评由您自己决定。
产品只卖给风险等级匹配的客户。
并不适合所有人。
您的融资可以随时归还。
融资利率按公示标准执行。
第三方存管银行已绑定。
有空的时候回电即可。
系统已修复，抱歉给您带来不便。
您先看看说明，不急。
请稍等，我查一下。
我不会催您做决定。
客服热线全天有人。
账户有疑问请告诉我。
行情波动较大，请注意风险。
没有风险承受能力的客户不应购买。
请了解产品的风险揭示书。
我们没有内幕消息，也不传播。
股票价格可能上涨，也可能下跌。
我们不预测股价。
您的投诉正在处理，请耐心等待答复。
谢谢您这些年的信任。
离开本页面前请保存。
我们不能替您下单。
We cannot promise any gain.
We do not guarantee returns.
Nobody can guarantee a profit.
No one can promise you a return.
Neither the principal nor a return is assured.
Returns are not guaranteed.
Your capital is at risk.
There is no such thing as a risk-free investment.
This product is not capital guaranteed.
Beware of anyone who promises guaranteed returns.
Never trust people who promise easy money.
Anyone who offers guaranteed returns is probably a fraud.
Staff are forbidden to promise profits.
We will not compensate investment losses.
We may not share your losses.
You may lose money.
Prices may rise or fall.
We do not forecast prices.
Past results say nothing certain about the future.
The value of investments can go down as well as up.
Take your time.
There is no hurry.
You do not have to decide today.
There is no deadline.
You can transfer your assets at any time.
Your withdrawal has been processed.
You do not need approval to close the account.
We will not delay your transfer.
We cannot refuse to process your withdrawal.
Closing does not affect your credit.
Leaving is simple.
Please hold on a moment while I look.
Hold on, I am looking it up.
Please keep your account details safe.
We do not sell your data.
We do not advise you to buy or to sell.
Whether you hold or sell is your decision.
You may complain at any time.
You need not withdraw your complaint.
Your complaint is being handled.
We do not give gifts.
We do not pay rebates.
Feel free to ask.
The bonus shares have been booked.
Our fee tiers are published and the same for everybody.
We cannot lower your commission individually.
There is no personal price.
Commissions are not negotiable.
There is no penalty for leaving.
There is no exit fee.
Whether you stay or leave, your request is completed.
Our service is the same whether or not you leave.
Do not transfer money to strangers.
Never give your password to anybody.
We do not trade for you.
Please check your risk level.
The product is not suitable for everyone.
Your funds are held by the custodian bank.
We are sorry for the trouble you had.
I call to ask how satisfied you are.
The app was slow and has been mended.
I will send you the statement.
You decide; we only explain.
We hold your assets with a custodian.
The form ends with your signature.
You can sell whenever you wish.
The closing takes its course.
This is not advice to buy or to sell.
"""

FINE_WHEN_LEAVING = """
您的申请照常办理，无需回复。
我们会按时办结您的申请。
如果您愿意，可以告诉我们哪里做得不好。
Your request goes on in any case.
We complete it in time and help with each step.
If you like, tell us what we should have done better.
"""


def lines(text: str) -> list[str]:
    """The sentences of a block."""
    return [line for line in text.splitlines() if line.strip()]
