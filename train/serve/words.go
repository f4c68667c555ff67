package serve

import "trainer/data/lang"

// texts are all words of the page. Where %s stands, the page's program puts a value.
var texts = map[string]lang.Text{
	"title":    {En: "Draw a digit", Zh: "写一个数字"},
	"titleAny": {En: "Draw for the network", Zh: "画给网络看"},
	"skip":     {En: "Skip to the drawing pad", Zh: "跳到画板"},
	"language": {En: "中文", Zh: "English"},
	"theme":    {En: "Light or dark", Zh: "切换明暗"},
	"report":   {En: "Report", Zh: "训练报告"},

	"pad":       {En: "Drawing pad", Zh: "画板"},
	"padHint":   {En: "Draw here with the mouse, a finger or a pen; or paste or drop a picture.", Zh: "用鼠标、手指或笔在这里写；也可以粘贴或拖入一张图片。"},
	"padKeys":   {En: "With the keyboard: arrow keys move, the space bar puts the pen down and lifts it, Backspace takes back, Delete clears.", Zh: "键盘操作：方向键移动，空格键落笔或提笔，退格键撤销，Delete 键清空。"},
	"padLabel":  {En: "Drawing pad. Arrow keys move, space puts the pen down and lifts it, Backspace takes back the last stroke, Delete clears.", Zh: "画板。方向键移动，空格键落笔或提笔，退格键撤销上一笔，Delete 键清空。"},
	"undo":      {En: "Undo", Zh: "撤销"},
	"clear":     {En: "Clear", Zh: "清空"},
	"thickness": {En: "Thickness", Zh: "笔画粗细"},
	"open":      {En: "Open a picture…", Zh: "打开图片…"},
	"write":     {En: "Write one for me:", Zh: "替我写一个："},
	"writeOne":  {En: "Write a %s", Zh: "写一个 %s"},
	"sample":    {En: "Test image", Zh: "测试图片"},
	"sampleOf":  {En: "of %s", Zh: "共 %s 张"},
	"labelled":  {En: "of %s; its label is %s", Zh: "共 %s 张；这张的标签是 %s"},
	"another":   {En: "Another", Zh: "换一张"},
	"penDown":   {En: "Pen down", Zh: "落笔"},
	"penUp":     {En: "Pen up", Zh: "提笔"},

	"sees":      {En: "What the network sees", Zh: "网络看到的"},
	"seesLabel": {En: "The image that the network sees, %s by %s pixels", Zh: "网络看到的图像，%s×%s 像素"},
	"answer":    {En: "Answer", Zh: "回答"},
	"says":      {En: "It is a %s (%s).", Zh: "这是 %s（%s）。"},
	"then":      {En: "Next: %s.", Zh: "其次：%s。"},
	"nextBest":  {En: "next: ", Zh: "其次："},
	"outputs":   {En: "Outputs", Zh: "输出"},

	"hidden":      {En: "Hidden units", Zh: "隐藏单元"},
	"hiddenAbout": {En: "Each image is the weights of a unit: blue adds to its input where there is ink, orange takes from it. The brighter the image and the longer the bar below it, the larger the unit's activation.", Zh: "每幅小图是一个单元的权重：有墨的地方，蓝色使它的输入增加，橙色使它减少。图越亮、下面的条越长，该单元的激活值越大。"},
	"units":       {En: "Weights of the units", Zh: "各单元的权重"},
	"outputUnits": {En: "Output units", Zh: "输出单元"},
	"unitsFirst":  {En: "The first %s of %s units.", Zh: "共 %[2]s 个单元，这里是前 %[1]s 个。"},
	"deeper":      {En: "Further hidden layers", Zh: "更深的隐藏层"},
	"show":        {En: "Show", Zh: "显示"},
	"showWeights": {En: "weights", Zh: "权重"},
	"showGrad":    {En: "gradient ∇E of this sample", Zh: "本样本的梯度 ∇E"},
	"unit":        {En: "Unit", Zh: "单元"},
	"unitSays":    {En: "Unit %s: activation %s", Zh: "单元 %s：激活值 %s"},
	"unitDelta":   {En: "δ %s", Zh: "δ %s"},

	"told":       {En: "What was it?", Zh: "正确答案是什么？"},
	"toldAbout":  {En: "Give the right answer, and see how the error flows back: δ of the outputs, δ of the hidden units, and the gradient. Then take training steps on this one sample. They change a copy of the network that only this browser has.", Zh: "给出正确答案，看误差怎样向后传播：输出层的 δ、隐藏单元的 δ，直到梯度。然后就用这一个样本训练几步。被改变的只是本浏览器自己的网络副本。"},
	"right":      {En: "The right answer", Zh: "正确答案"},
	"rate":       {En: "Learning rate η", Zh: "学习率 η"},
	"step":       {En: "One training step", Zh: "训练一步"},
	"steps":      {En: "Ten steps", Zh: "训练十步"},
	"reset":      {En: "Reset", Zh: "复原"},
	"cost":       {En: "E = %s", Zh: "E = %s"},
	"trained":    {En: "E: %s → %s", Zh: "E：%s → %s"},
	"saturated":  {En: "That is nearly nothing: the outputs are saturated, so g'(z) and with it δ are close to 0. Take more steps, or a larger η.", Zh: "几乎没有变化：输出已饱和，g'(z) 接近 0，δ 也就接近 0。可以多训练几步，或者增大 η。"},
	"copy":       {En: "This is your own copy of the network. Training steps so far: %s.", Zh: "这是你自己的网络副本，已训练 %s 步。"},
	"original":   {En: "This is the network as it is.", Zh: "这是原来的网络。"},
	"resetDone":  {En: "The copy is thrown away; this is the network as it was.", Zh: "副本已丢弃，网络恢复原样。"},
	"slope":      {En: "∂E/∂x: where more ink would raise the error (blue) or lower it (orange)", Zh: "∂E/∂x：哪里多一点墨会使误差增大（蓝色）或减小（橙色）"},
	"slopeLabel": {En: "The derivative of the error by each pixel", Zh: "误差对每个像素的导数"},

	"watch":      {En: "Training", Zh: "训练"},
	"epochOf":    {En: "Epoch %s of %s", Zh: "第 %s 次迭代，共 %s 次"},
	"accuracy":   {En: "Accuracy", Zh: "准确率"},
	"costs":      {En: "Cost", Zh: "损失"},
	"epochs":     {En: "epoch", Zh: "迭代轮数"},
	"train":      {En: "training", Zh: "训练"},
	"test":       {En: "test", Zh: "测试"},
	"validation": {En: "validation", Zh: "验证"},
	"bestEpoch":  {En: "best so far: %s after epoch %s", Zh: "目前最好：第 %[2]s 次迭代后为 %[1]s"},
	"speed":      {En: "%s samples per second", Zh: "每秒 %s 个样本"},
	"rateNow":    {En: "η = %s", Zh: "η = %s"},
	"runsBest":   {En: "%s runs; the best one of each epoch is shown", Zh: "共 %s 次独立训练，显示每轮中最好的一次"},
	"done":       {En: "The training is done.", Zh: "训练完成。"},
	"stopped":    {En: "The training was stopped.", Zh: "训练被中止。"},
	"failed":     {En: "The training has failed: %s", Zh: "训练失败：%s"},
	"waiting":    {En: "The first epoch is under way.", Zh: "正在进行第一次迭代。"},
	"chartLabel": {En: "%s over the epochs: training %s, test %s", Zh: "%s随迭代的变化：训练 %s，测试 %s"},
	"lost":       {En: "No connection to the trainer. Is it still running?", Zh: "与 trainer 的连接断开了。它还在运行吗？"},

	"errBlank":    {En: "There is no ink yet.", Zh: "还没有墨迹。"},
	"errSmall":    {En: "This is too small: draw larger.", Zh: "太小了，请写大一些。"},
	"errPicture":  {En: "This picture cannot be used: %s", Zh: "这张图片无法使用：%s"},
	"errLarge":    {En: "This file is too large: want at most %s MB.", Zh: "文件太大，最多 %s MB。"},
	"errNoFile":   {En: "There is no picture in it: want a PNG, JPEG or GIF file.", Zh: "其中没有图片：请用 PNG、JPEG 或 GIF 文件。"},
	"errGone":     {En: "Your copy has expired; this is the network as it is.", Zh: "你的副本已过期，现在是原来的网络。"},
	"errBusy":     {En: "The trainer is busy. Try again.", Zh: "trainer 正忙，请再试一次。"},
	"errEarly":    {En: "There are no parameters yet.", Zh: "还没有参数。"},
	"errRate":     {En: "The learning rate is a positive number, at most 1,000,000.", Zh: "学习率应为正数，不超过 1000000。"},
	"errInfinite": {En: "The numbers grow beyond all bounds: take a smaller learning rate.", Zh: "数值超出了范围，请减小学习率。"},
	"errFailed":   {En: "This did not work: %s", Zh: "没有成功：%s"},
	"noScript":    {En: "This page needs JavaScript, which is switched off.", Zh: "本页需要 JavaScript，而它已被关闭。"},
}

// dictionary returns the words in a language.
func dictionary(l lang.Language) map[string]string {
	words := make(map[string]string, len(texts))
	for key, text := range texts {
		words[key] = text.In(l)
	}
	return words
}
