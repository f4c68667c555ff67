package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"trainer/data"
	"trainer/data/describe"
	"trainer/data/lang"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/progress"
	"trainer/train/rundir"
	"trainer/train/terminal"
)

// trainCommand trains a network and leaves a run folder.
func trainCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	out := f.String("out", "", "the run `folder`; else runs/<time>-<name>")
	var page pageFlag
	f.Var(&page, "serve", "show the training on a page for the browser, until Ctrl-C; -serve=ADDRESS is another address than "+pageAddress)
	var again resumeFlags
	f.StringVar(&again.run, "resume", "", "go on with the run in `folder`, from its last checkpoint, as if it had not been stopped; keys that change the mathematics cannot be set")
	f.StringVar(&again.fork, "fork", "", "with -resume: begin a new run in `folder` from the checkpoint, with any change")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if again != (resumeFlags{}) {
		return again.train(&flags, *out, page, stdout, stderr)
	}
	c, err := flags.read()
	if err != nil {
		return err
	}
	if file := c.Model.Init.File; file != "" {
		if c, err = flags.readInitial(file, stderr); err != nil {
			return err
		}
		if _, err := train.InitialParameters(c); err != nil { // before there is a folder
			return err
		}
	}
	return watchedRun(c, flags.source(), *out, nil, page, stdout, stderr)
}

// watchedRun is trainRun, with the page of -serve if it is asked for.
func watchedRun(c config.Config, source, out string, again *resumption, page pageFlag, stdout, stderr io.Writer) error {
	w, err := watchedAt(page)
	if err != nil {
		return errors.Join(err, again.close())
	}
	return w.finish(trainRun(c, source, out, again, w, stdout, stderr), c.Language(os.Getenv), stdout)
}

// What a training says.
var (
	stoppingText   = lang.Text{En: "%v: finishing the batch and saving", Zh: "%v：正在完成当前批次并保存"}
	againText      = lang.Text{En: "trainer: %s; send it again to end at once", Zh: "trainer: %s；再次发送该信号将立即结束"}
	imagesText     = lang.Text{En: "%s: %d + %d images%s", Zh: "%s：%d + %d 幅图像%s"}
	fromText       = lang.Text{En: ", from %s", Zh: "，来自 %s"}
	validationText = lang.Text{En: ", and %d for validation", Zh: "，另有 %d 幅用于验证"}
	parametersText = lang.Text{En: "%v: %d parameters", Zh: "%v：%d 个参数"}
	folderText     = lang.Text{En: "run folder %s", Zh: "运行文件夹 %s"}
	seedsText      = lang.Text{En: "%d runs, with the seeds %d to %d", Zh: "%d 次独立训练，随机种子为 %d 至 %d"}
	runText        = lang.Text{En: "run %d", Zh: "训练 %d"}
	bestRunText    = lang.Text{En: "the best is run %d, seed %d: ", Zh: "最好的是训练 %d，种子 %d："}
	stoppedText    = lang.Text{En: "stopped early: no improvement for %d epochs", Zh: "提前停止：连续 %d 轮没有提高"}
	resultText     = lang.Text{En: "%s: %stest accuracy %.4f after epoch %d, %s", Zh: "%s：%s测试准确率 %.4f（第 %[4]d 次迭代后），%[5]s"}
	onValidation   = lang.Text{En: "and %.4f after epoch %d, the best on the validation set (%.4f)", Zh: "验证集上最好的是第 %[2]d 次迭代（%.4[3]f），其测试准确率 %.4[1]f"}
	onTest         = lang.Text{En: "at best %.4f after epoch %d, chosen on the test set", Zh: "最高 %.4f（第 %d 次迭代后），按测试集选取"}
	warningText    = lang.Text{En: "warning: the run %s", Zh: "警告：本次训练 %s"}
	warningOfText  = lang.Text{En: "warning: run %d %s", Zh: "警告：训练 %d %s"}
	removedText    = lang.Text{En: "the run folder %s was removed, or moved elsewhere", Zh: "运行文件夹 %s 已被删除或移走"}
	movedText      = lang.Text{En: "the run folder %s was moved to %s", Zh: "运行文件夹 %s 已移至 %s"}
	filesText      = lang.Text{En: "files in %s: %s", Zh: "%s 中的文件：%s"}
	ofBestText     = lang.Text{En: " of the best", Zh: "（最好的一次）"}
	ofAllText      = lang.Text{En: "; %s of all", Zh: "；%s（全部）"}
	failedText     = lang.Text{En: "run %d failed: %s", Zh: "训练 %d 失败：%s"}
	stoppedOfText  = lang.Text{En: "run %d stopped early after epoch %d", Zh: "训练 %d 在第 %d 次迭代后提前停止"}
	tableText      = lang.Text{En: "run|seed|best test accuracy|after epoch|last", Zh: "训练|种子|最高测试准确率|迭代|最后"}
	validatedText  = lang.Text{En: "run|seed|best validation accuracy|after epoch|last|test accuracy: best|last",
		Zh: "训练|种子|最高验证准确率|迭代|最后|测试准确率：最好|最后"}
	noneText    = lang.Text{En: "none", Zh: "无"}
	failedWord  = lang.Text{En: "failed", Zh: "失败"}
	endedText   = lang.Text{En: "ended: %v", Zh: "结束：%v"}
	doneText    = lang.Text{En: "done", Zh: "完成"}
	undrawnText = lang.Text{
		En: "warning: the figures have no outlines for %s: these are empty boxes in the PNG files, and text in the SVG files",
		Zh: "警告：图中没有这些字的字形：%s，PNG 文件中显示为空框，SVG 文件中为普通文本",
	}
)

// trainRun makes everything that a session needs, cheap checks first, and runs
// it. The run folder is made last, and a session that does not start leaves none.
// source says which configuration c is, if that is not plain. If again is not nil, the
// session goes on from a checkpoint. page is that of -serve, or nil.
func trainRun(c config.Config, source, out string, again *resumption, page *watched, stdout, stderr io.Writer) (err error) {
	leave := func() error { return nil }
	defer func() { err = errors.Join(err, leave()) }()
	if again != nil && again.dir != nil {
		leave = again.dir.Close
	}
	shown := progress.NewQueue(stdout)
	defer func() { flush(shown, errors.As(err, new(signalError))) }()
	language := c.Language(os.Getenv)
	var log atomic.Pointer[rundir.Dir]
	ctx, stop := untilSignal(func(s os.Signal) {
		line := stoppingText.Format(language, s)
		_, _ = fmt.Fprintln(stderr, againText.Format(language, line))
		if dir := log.Load(); dir != nil {
			_ = dir.AppendLine(rundir.LogFile, []byte(line))
		}
	})
	defer stop()
	need := train.Memory(c)
	if err := checkMemory(c, need); err != nil {
		return err
	}
	fleet, machine, chose, err := newFleet(again.onDevice(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	dataset, notes, err := openDataset(ctx, c, false, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	if c, err = settled(c, dataset); err != nil {
		return err
	}
	c = withFound(c, dataset)
	sets := []*data.Set{dataset.Train, dataset.Validation, dataset.Test}
	if !c.Train.Augment.Options().None() {
		need += 2 * int64(len(dataset.Train.Pixels)) // distorted images: the present ones, and the next
		sets = append(sets, dataset.Train)
	}
	if err := checkMemory(c, need, sets...); err != nil {
		return err
	}
	var checkpoint *train.Resume
	var goingOn []string
	if again != nil {
		checkpoint = again.from
		if goingOn, err = again.begin(c, dataset, machine); err != nil {
			return err
		}
	}
	dir := again.folder()
	if dir == nil {
		if dir, err = rundir.Create(out, c.Name, time.Now()); err != nil {
			return err
		}
		leave = dir.Discard
	}
	log.Store(dir)
	defer log.Store(nil)
	defer func() { logEnd(dir, language, err, recover()) }()
	screen := newScreen(shown, dir, language, c.Train.Epochs, fleet.Len(), dataset.Train.Len())
	for _, note := range notes { // they were shown
		screen.logged.Print(describe.Note(note).Line(language))
	}
	from := ""
	if dataset.Source != data.BuiltIn {
		from = fromText.Format(language, dataset.Source)
	}
	if v := dataset.Validation; v != nil {
		from = validationText.Format(language, v.Len()) + from
	}
	if source != "" {
		screen.print(source)
	}
	screen.say(imagesText, dataset.Name, dataset.Train.Len(), dataset.Test.Len(), from)
	screen.say(parametersText, c.Network().Text(), c.Network().Size())
	screen.print(chose.In(language))
	screen.say(folderText, dir.Path())
	if n := fleet.Len(); n > 1 {
		screen.say(seedsText, n, c.Seed, c.Run(n-1).Seed)
	}
	for _, line := range goingOn {
		screen.print(line)
	}
	session := &train.Session{
		Config: c, Dataset: dataset, Fleet: fleet, Machine: machine, Dir: dir, Watch: screen, From: checkpoint, Language: language,
	}
	if err := page.attach(session, screen.say); err != nil {
		return err
	}
	result, err := session.Run(ctx)
	screen.shown.Close()
	if result.Runs == nil { // it did not start
		return err
	}
	leave = dir.Close
	err = errors.Join(err, writeReport(ctx, session, result, err != nil, chose.In(language), screen, stderr))
	screen.report(result, session)
	page.report(session)
	if left := again.nothingLeft(result, dir, c.Train.Epochs); left != "" && err == nil {
		screen.print(left)
	}
	err = resumable(err, session, result)
	logHow(dir, err)
	return err
}

// newFleet makes the fleet that trains the runs. machine is the name of its kind;
// chose says in a line which machine it is and why.
func newFleet(c config.Config) (f vm.Fleet, machine string, chose lang.Text, err error) {
	f, err = vm.NewFleet(c.Train.Runs.Count, func() (m vm.VM, err error) {
		if m, chose, err = newMachine(c); err == nil {
			machine = m.Name()
		}
		return m, err
	})
	return f, machine, chose, err
}

// screen shows how a session proceeds: on standard output, and in the folder's
// log.
type screen struct {
	shown    *progress.Progress
	logged   *progress.Progress
	language lang.Language
	several  bool // whether there is more than one run
}

// newScreen makes the screen of a session of runs, each with so many samples an
// epoch.
func newScreen(stdout io.Writer, dir *rundir.Dir, l lang.Language, epochs, runs, samples int) screen {
	return screen{
		shown:    progress.New(stdout, progress.IsTerminal(stdout), l, epochs, runs*samples),
		logged:   progress.New(logWriter{dir}, false, l, epochs, runs*samples),
		language: l,
		several:  runs > 1,
	}
}

func (s screen) say(text lang.Text, args ...any) { s.print(text.Format(s.language, args...)) }

func (s screen) print(line string) {
	line = terminal.Line(line)
	s.shown.Print(line)
	s.logged.Print(line)
}

// Batch implements train.Watcher.
func (s screen) Batch(epoch, done int) { s.shown.Advance(epoch, done) }

// Epoch implements train.Watcher: it shows the best run of the epoch.
func (s screen) Epoch(runs []train.RunMetrics, top int, best bool) {
	m := runs[top]
	line := progress.EpochLine{
		Epoch: m.Epoch, Rate: m.LearningRate, Best: best,
		TrainCost: m.TrainCost, TrainAccuracy: m.TrainAccuracy,
		TestCost: m.TestCost, TestAccuracy: m.TestAccuracy,
		SamplesPerSecond: m.SamplesPerSecond, Seconds: m.TrainSeconds,
	}
	if v := m.Validation; v != nil {
		line.Validation = &progress.Validation{Cost: v.ValidationCost, Accuracy: v.ValidationAccuracy}
	}
	if s.several {
		line.Note = runText.Format(s.language, m.Run)
	}
	s.shown.Epoch(line)
	s.logged.Epoch(line)
}

// report shows what the session came to.
func (s screen) report(result train.Result, session *train.Session) {
	if s.several {
		s.list(result.Runs, session.Dataset.Validation != nil)
	}
	if result.Best < 0 {
		return
	}
	best, which := result.Runs[result.Best], ""
	if s.several {
		which = bestRunText.Format(s.language, best.Run, best.Seed)
	} else if best.StoppedEarly {
		s.say(stoppedText, session.Config.Train.EarlyStopping.Patience)
	}
	s.say(resultText, session.Dataset.Name, which, best.Last.TestAccuracy, best.Last.Epoch, chosen(*best.Best, s.language))
	if best.Advice != "" && !s.several { // list shows that of several runs
		s.say(warningText, best.Advice)
	}
	if result.Undrawn != "" {
		s.say(undrawnText, result.Undrawn)
	}
	s.files(session.Dir)
}

// files lists the files that are in the folder.
func (s screen) files(dir *rundir.Dir) {
	path, moved := dir.Where()
	switch {
	case moved && path == "":
		s.say(removedText, dir.Path())
		return
	case moved:
		s.say(movedText, dir.Path(), path)
	}
	best := dir.Written(rundir.BestFile, rundir.ModelFile, rundir.MetricsFile, rundir.ReportFile, rundir.FigurePNG, rundir.HiddenPNG, rundir.ConfusionPNG)
	if len(best) == 0 {
		return
	}
	list := strings.Join(best, ", ")
	if s.several {
		list += ofBestText.In(s.language)
		if all := dir.Written(rundir.RunsFile, rundir.RunMetricsFile); len(all) > 0 {
			list += ofAllText.Format(s.language, strings.Join(all, ", "))
		}
	}
	s.say(filesText, path, list)
}

// logEnd writes how the session ended as the last line of the log. panicked is what the
// session panicked with, or nil; logEnd panics with it again.
func logEnd(dir *rundir.Dir, l lang.Language, err error, panicked any) {
	var how any = doneText
	switch {
	case panicked != nil:
		how = panicked
	case err != nil:
		how = err
	}
	_ = dir.AppendLine(rundir.LogFile, []byte(terminal.Line(endedText.Format(l, how))))
	if panicked != nil {
		panic(panicked)
	}
}

// chosen says how good the best epoch is, and on which set it was chosen.
func chosen(best train.Metrics, l lang.Language) string {
	if v := best.Validation; v != nil {
		return onValidation.Format(l, best.TestAccuracy, best.Epoch, v.ValidationAccuracy)
	}
	return onTest.Format(l, best.TestAccuracy, best.Epoch)
}

// list shows a table of all runs. The test accuracies of runs that were judged on
// a validation set have their own columns.
func (s screen) list(runs []train.Run, validated bool) {
	header, columns := tableText, 3
	if validated {
		header, columns = validatedText, 5
	}
	table := [][]string{strings.Split(header.In(s.language), "|")}
	for _, r := range runs {
		row := slices.Repeat([]string{"-"}, columns)
		row[0] = noneText.In(s.language)
		if r.Best != nil {
			best, _ := r.Best.Judged()
			last, _ := r.Last.Judged()
			row[0], row[1], row[2] = accuracy(best), strconv.Itoa(r.Best.Epoch), accuracy(last)
			if validated {
				row[3], row[4] = accuracy(r.Best.TestAccuracy), accuracy(r.Last.TestAccuracy)
			}
		}
		if r.Failed != "" {
			row[2] = failedWord.In(s.language)
		}
		table = append(table, append([]string{strconv.Itoa(r.Run), strconv.FormatUint(r.Seed, 10)}, row...))
	}
	for _, line := range terminal.Table(table) {
		s.print(line)
	}
	for _, r := range runs {
		if r.Failed != "" {
			s.say(failedText, r.Run, r.Failed)
		} else if r.StoppedEarly {
			s.say(stoppedOfText, r.Run, r.Last.Epoch)
		}
		if r.Advice != "" {
			s.say(warningOfText, r.Run, r.Advice)
		}
	}
}

func accuracy(v float64) string { return fmt.Sprintf("%.4f", v) }

// logWriter appends lines to the log of a run folder. An error ends the log, not
// the session: an error of a file that matters does end it.
type logWriter struct{ dir *rundir.Dir }

func (w logWriter) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) { // an epoch has several in Chinese
		if err := w.dir.AppendLine(rundir.LogFile, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
