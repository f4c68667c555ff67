package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"trainer/data"
	"trainer/data/files"
	"trainer/data/lang"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/graph/vm/machines/memory"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/progress"
	"trainer/train/rundir"
	"trainer/train/sweep"
	"trainer/train/terminal"
)

// What a sweep says.
var (
	sweepRunsText    = lang.Text{En: "sweep of %s: %d runs", Zh: "参数扫描 %s：共 %d 次训练"}
	sweepSeedsText   = lang.Text{En: ", %d seeds each (%d to %d)", Zh: "，每组 %d 个随机种子（%d 至 %d）"}
	sweepValuesText  = lang.Text{En: "%s: %s", Zh: "%s：%s"}
	sweepDrawnText   = lang.Text{En: "%d combinations, drawn at random", Zh: "随机抽取 %d 组取值"}
	sweepShardText   = lang.Text{En: "shard %v (%s): %d of the runs", Zh: "分片 %v（%s）：其中 %d 次训练"}
	sweepFlagWord    = lang.Text{En: "as given", Zh: "由命令行指定"}
	sweepFolderText  = lang.Text{En: "folder %s", Zh: "文件夹 %s"}
	sweepKeptText    = lang.Text{En: "%d of the runs had ended before, and are kept", Zh: "其中 %d 次训练先前已结束，予以保留"}
	sweepAtOnceText  = lang.Text{En: "%d to train, %d at a time", Zh: "尚需训练 %d 次，同时进行 %d 次"}
	sweepEndedText   = lang.Text{En: "[%*d/%d] %s: %s, %s", Zh: "[%*d/%d] %s：%s，%s"}
	sweepTestText    = lang.Text{En: "test accuracy %.4f after epoch %d", Zh: "测试准确率 %.4f（第 %d 次迭代后）"}
	sweepBothText    = lang.Text{En: "validation accuracy %.4f, test %.4f after epoch %d", Zh: "验证准确率 %.4f，测试 %.4f（第 %d 次迭代后）"}
	sweepFailedText  = lang.Text{En: "failed: %s", Zh: "失败：%s"}
	sweepEarlyText   = lang.Text{En: " (stopped early)", Zh: "（提前停止）"}
	sweepSecondsText = lang.Text{En: "%.1f s", Zh: "%.1f 秒"}
	sweepSeedText    = lang.Text{En: "seed %d", Zh: "种子 %d"}
	sweepBusyText    = lang.Text{En: "%s is left out: %s", Zh: "跳过 %s：%s"}
	sweepSavingText  = lang.Text{En: "%v: saving the runs that are under way", Zh: "%v：正在保存尚未结束的训练"}
	sweepGoOnText    = lang.Text{En: "go on with: %s", Zh: "继续扫描：%s"}
	sweepShardsText  = lang.Text{En: "train them in the folders of their shards, with -resume and -shard, and merge again", Zh: "请在各自分片的文件夹中用 -resume 和 -shard 训练它们，然后重新合并"}
	sweepMergeText   = lang.Text{En: "this shard is done; when all are, merge them with: %s", Zh: "本分片已完成；全部完成后合并：%s"}
	sweepMissingText = lang.Text{En: "%d of %d runs are missing: %s", Zh: "共 %[2]d 次训练，缺 %[1]d 次：%[3]s"}
	sweepMoreText    = lang.Text{En: "%s and %d more", Zh: "%s 等，另有 %d 次"}
	sweepOnText      = lang.Text{En: "chosen on the %s", Zh: "按%s选出"}
	sweepSetWord     = map[string]lang.Text{
		"validation set": {En: "validation set", Zh: "验证集"},
		"test set":       {En: "test set, as there is no validation set", Zh: "测试集（没有验证集）"},
	}
	sweepBestText  = lang.Text{En: "the best is %s: %s accuracy %s%s, %s", Zh: "最好的是 %s：%s准确率 %s%s，%s"}
	sweepAloneText = lang.Text{En: "the best run is %s", Zh: "最好的一次训练是 %s"}
	sweepNoneText  = lang.Text{En: "no run has a whole epoch, so none is the best", Zh: "没有一次训练完成过一轮，因此选不出最好的"}
	sweepWordTest  = lang.Text{En: "test", Zh: "测试"}
	sweepWordVal   = lang.Text{En: "validation", Zh: "验证"}
	sweepMeanText  = lang.Text{En: " (mean of %d seeds)", Zh: "（%d 个种子的平均）"}
	sweepTableText = lang.Text{En: "best accuracy|± sd|lowest|highest|runs", Zh: "最高准确率|±标准差|最低|最高|次数"}
	sweepRestText  = lang.Text{En: "and %d more combinations: see %s", Zh: "另有 %d 组：见 %s"}
)

// sweepFlags are the flags of trainer sweep.
type sweepFlags struct {
	configFlags
	over          settings
	seeds, random int
	out, resume   string
	shard         string
	shards        int
	merge, rate   bool

	given map[string]bool
}

// sweepCommand trains the combinations of some values of keys, merges the parts of such a
// sweep, or looks for a learning rate.
func sweepCommand(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("sweep", flag.ContinueOnError)
	var s sweepFlags
	s.register(f)
	f.Var(&s.over, "over", "train with each of these values: `key=values`, with commas between them, or a range, log:0.01..1:9 or lin:10..50:5; may be repeated, for every combination")
	f.IntVar(&s.seeds, "seeds", 1, "train each combination with `n` seeds: seed, seed + 1, …")
	f.IntVar(&s.random, "random", 0, "train `n` combinations, drawn at random; a range may then be without a number of values")
	f.StringVar(&s.out, "out", "", "the `folder` of the sweep; else sweeps/<name>. Runs that ended in it are kept, others go on")
	f.StringVar(&s.resume, "resume", "", "go on with the sweep in this `folder`")
	f.StringVar(&s.shard, "shard", "", "train one part of the runs, `i/n`: 2/6 is the second of six; else a Slurm array or a Kubernetes Indexed Job says which")
	f.IntVar(&s.shards, "shards", 0, "there are `n` shards: a Kubernetes Indexed Job does not say how many; else $"+sweep.CountVariable)
	f.BoolVar(&s.merge, "merge", false, "make the table, the figure and the page of the runs in the folders that are named")
	f.BoolVar(&s.rate, "find-rate", false, "let the learning rate grow over an epoch, and draw the cost: where it falls fastest is a good rate")
	operands, err := parseArgs(f, args, stdout)
	if err != nil {
		return err
	}
	s.given = map[string]bool{}
	f.Visit(func(f *flag.Flag) { s.given[f.Name] = true })
	if !s.merge {
		if err := setOperands(f, operands); err != nil {
			return err
		}
		s.given["config"] = s.file != ""
	}
	if err := s.check(); err != nil {
		return err
	}
	switch {
	case s.merge:
		return s.mergeFolders(operands, stdout, stderr)
	case s.rate:
		return s.findRate(stdout, stderr)
	}
	return s.train(stdout, stderr)
}

// check returns a usage error for flags that do not go together.
func (s *sweepFlags) check() error {
	refuse := func(mode, why string, names ...string) error {
		for _, name := range names {
			if s.given[name] {
				return usageError(fmt.Sprintf("sweep: -%s with -%s: %s", mode, name, why))
			}
		}
		return nil
	}
	for name, n := range map[string]int{"seeds": s.seeds, "random": s.random, "shards": s.shards} {
		if s.given[name] && n < 1 {
			return usageError(fmt.Sprintf("sweep: -%s %d: want 1 or more", name, n))
		}
	}
	var err error
	if s.merge {
		err = refuse("merge", "the folders have the sweep: name them, as in trainer sweep -merge DIR", "config", "device", "set", "over", "seeds", "random", "resume", "shard", "shards", "find-rate")
	}
	if s.rate && err == nil {
		err = refuse("find-rate", "it is one epoch of one training: leave it out", "over", "seeds", "random", "resume", "shard", "shards")
	}
	if s.resume != "" && err == nil {
		err = refuse("resume", "the folder has the sweep: leave it out, or begin another sweep with -out", "config", "set", "over", "seeds", "random", "out")
	}
	if s.shard != "" && err == nil {
		err = refuse("shard", "the first says both numbers: give one of them", "shards")
	}
	return err
}

// known returns what a model file says of its network.
func (s *sweepFlags) known(stderr io.Writer) func(file string) (config.Known, error) {
	cache := map[string]config.Known{}
	return func(file string) (config.Known, error) {
		if known, ok := cache[file]; ok {
			return known, nil
		}
		m, err := openModel(file, stderr)
		if err != nil {
			return config.Known{}, fmt.Errorf("model.init.file: %w", err)
		}
		cache[file] = m.Known()
		return cache[file], nil
	}
}

// plan returns the sweep that the flags say, and its folder.
func (s *sweepFlags) plan(stderr io.Writer) (plan *config.Sweep, dir string, err error) {
	if s.resume != "" {
		plan, err := sweep.ReadPlan(s.resume, s.known(stderr))
		if errors.Is(err, fs.ErrNotExist) {
			err = usageError(fmt.Sprintf("sweep: %s holds no sweep, it has no %s: name the folder that trainer sweep has made", s.resume, sweep.PlanFile))
		}
		if err != nil {
			return nil, "", err
		}
		for i := range plan.Combinations {
			c := &plan.Combinations[i].Config
			c.Device, c.Lang = cmp.Or(s.device, c.Device), cmp.Or(s.lang, c.Lang)
		}
		return plan, filepath.Clean(s.resume), nil
	}
	sets, err := s.settings()
	if err != nil {
		return nil, "", err
	}
	flags := config.SweepFlags{Over: s.over, Random: s.random}
	if s.given["seeds"] {
		flags.Seeds = s.seeds
	}
	plan, err = config.ReadSweep(s.file, sets, flags, s.known(stderr))
	if err != nil {
		return nil, "", err
	}
	dir = filepath.Clean(cmp.Or(s.out, filepath.Join("sweeps", rundir.CleanName(plan.Combinations[0].Config.Name))))
	there, err := sweep.ReadPlan(dir, s.known(io.Discard))
	switch {
	case err == nil:
		err = sweep.Same(dir, there, plan)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if different := (*sweep.DifferentError)(nil); errors.As(err, &different) {
		err = usageError(fmt.Sprintf("sweep: %v: choose another folder with -out", err))
	}
	return plan, dir, err
}

// part returns the shard that this process is to train, and who says so.
func (s *sweepFlags) part(l lang.Language) (sweep.Shard, string, error) {
	if s.shard != "" {
		shard, err := sweep.ParseShard(s.shard)
		if err != nil {
			return shard, "", usageError("sweep: -shard: " + err.Error())
		}
		return shard, sweepFlagWord.In(l), nil
	}
	shard, from, err := sweep.ShardOf(os.Getenv, s.shards)
	if err != nil {
		return shard, "", usageError("sweep: " + err.Error())
	}
	return shard, from, nil
}

// train trains a sweep, or a shard of it.
func (s *sweepFlags) train(stdout, stderr io.Writer) (err error) {
	plan, dir, err := s.plan(stderr)
	if err != nil {
		return err
	}
	l := plan.Combinations[0].Config.Language(os.Getenv)
	only, from, err := s.part(l)
	if err != nil {
		return err
	}
	shown := progress.NewQueue(stdout)
	defer func() { flush(shown, errors.As(err, new(signalError))) }()
	p := &sweepScreen{out: shown, stderr: stderr, plan: plan, language: l, total: len(plan.Combinations)}
	ctx, stop := untilSignal(func(sig os.Signal) {
		_, _ = fmt.Fprintln(stderr, againText.Format(l, sweepSavingText.Format(l, sig)))
	})
	defer stop()
	p.head(dir)
	if from != "" {
		p.total = only.Count(len(plan.Combinations))
		p.say(sweepShardText, only, from, p.total)
	}
	run := &sweep.Sweep{
		Plan: plan, Dir: dir, Only: only, Language: l, Open: sweepData(stderr), Machine: sweepMachine, Fits: sweepFits,
		Log: p.log, Started: p.started, Ended: p.ended, Busy: p.busy,
	}
	again := resumableError{how: sweepGoOnText.Format(l, s.again(dir))}
	if err := run.Run(ctx); err != nil {
		again.error = cause(ctx, err)
		if _, e := os.Stat(filepath.Join(dir, sweep.PlanFile)); e != nil { // it has not begun
			return again.error
		}
		return again
	}
	if only.Of > 1 {
		p.say(sweepMergeText, commandLine("sweep", "-merge", dir))
		return nil
	}
	table, err := sweep.Collect(plan, dir)
	if err != nil {
		return err
	}
	return finishSweep(ctx, table, dir, sweepGoOnText.Format(l, s.again(dir)), p)
}

// again returns the command that goes on with the sweep.
func (s *sweepFlags) again(dir string) string {
	args := []string{"sweep", "-resume", dir}
	if s.shard != "" {
		args = append(args, "-shard", s.shard)
	}
	return commandLine(args...)
}

// mergeFolders makes the table of runs in one or several folders.
func (s *sweepFlags) mergeFolders(dirs []string, stdout, stderr io.Writer) error {
	if len(dirs) == 0 {
		return usageError("sweep: -merge: name the folder of the sweep, or those of its shards")
	}
	out := s.out
	switch {
	case out == "" && len(dirs) == 1:
		out = dirs[0]
	case out == "":
		return usageError(fmt.Sprintf("sweep: -merge of %d folders: say with -out where the result is to be", len(dirs)))
	}
	out = filepath.Clean(out)
	var plan *config.Sweep
	for _, dir := range dirs {
		there, err := sweep.ReadPlan(dir, s.known(stderr))
		if errors.Is(err, fs.ErrNotExist) {
			return usageError(fmt.Sprintf("sweep: -merge: %s holds no sweep, it has no %s", dir, sweep.PlanFile))
		}
		if err != nil {
			return err
		}
		if plan == nil {
			plan = there
		} else if err := sweep.Same(dir, there, plan); err != nil {
			return usageError(fmt.Sprintf("sweep: -merge: %v (in %s)", err, dirs[0]))
		}
	}
	if s.lang != "" {
		for i := range plan.Combinations {
			plan.Combinations[i].Config.Lang = s.lang
		}
	}
	p := &sweepScreen{out: stdout, stderr: stderr, plan: plan, language: plan.Combinations[0].Config.Language(os.Getenv)}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	table, err := sweep.Collect(plan, dirs...)
	if err != nil {
		return err
	}
	if err := (&sweep.Sweep{Plan: plan, Dir: out}).Begin(); err != nil {
		if errors.As(err, new(*sweep.DifferentError)) {
			err = usageError(fmt.Sprintf("sweep: -merge: %v: choose another folder with -out", err))
		}
		return err
	}
	p.head(out)
	goOn := sweepGoOnText.Format(p.language, s.again(out))
	if len(dirs) > 1 { // no folder has what the others have
		goOn = sweepShardsText.In(p.language)
	}
	return finishSweep(ctx, table, out, goOn, p)
}

// finishSweep writes the table, the figure and the page, and says what came out. goOn says how
// to get the runs that are missing.
func finishSweep(ctx context.Context, table *sweep.Table, dir, goOn string, p *sweepScreen) error {
	if len(table.Runs) > 0 {
		if err := table.Write(dir, p.language); err != nil {
			return err
		}
		p.results(table, dir)
	}
	if table.Best != nil {
		folder := filepath.Join(dir, filepath.FromSlash(table.Best.Folder))
		if err := bestReport(ctx, folder, p.language, p.stderr); err != nil {
			_, _ = fmt.Fprintf(p.stderr, "warning: %s of the best run: %s\n", rundir.ReportFile, terminal.Line(cause(ctx, err).Error()))
		}
	}
	if n := len(table.Missing); n > 0 {
		const most = 5
		list := strings.Join(table.Missing[:min(n, most)], ", ")
		if n > most {
			list = sweepMoreText.Format(p.language, list, n-most)
		}
		return resumableError{
			error: errors.New(sweepMissingText.Format(p.language, n, len(table.Plan.Combinations), list)),
			how:   goOn,
		}
	}
	return nil
}

// bestReport writes the report of the run in a folder, if it has none.
func bestReport(ctx context.Context, folder string, l lang.Language, stderr io.Writer) error {
	path := filepath.Join(folder, rundir.ReportFile)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	r := reader{stderr: stderr}
	d, err := r.gather(ctx, folder)
	if err != nil {
		return err
	}
	return files.Write(path, func(w io.Writer) error { return d.HTML(w, l) })
}

// sweepData returns what opens the data of a run.
func sweepData(stderr io.Writer) func(context.Context, config.Config) (*data.Dataset, config.Config, error) {
	return func(ctx context.Context, c config.Config) (*data.Dataset, config.Config, error) {
		if err := checkMemory(c, train.Memory(c)); err != nil {
			return nil, c, err
		}
		d, _, err := openDataset(ctx, c, false, stderr)
		if err != nil {
			return nil, c, err
		}
		if c, err = settled(c, d); err != nil {
			return nil, c, err
		}
		return d, withFound(c, d), checkMemory(c, sweepNeed(c, d), d.Train, d.Validation, d.Test)
	}
}

// sweepNeed returns the bytes that a run takes beside its machine.
func sweepNeed(c config.Config, d *data.Dataset) int64 {
	need := train.Memory(c)
	if !c.Train.Augment.Options().None() {
		need += 2 * int64(len(d.Train.Pixels)) // distorted images: the present ones, and the next
	}
	return need
}

// sweepFits returns how many runs fit in memory at a time.
func sweepFits(c config.Config, d *data.Dataset) int {
	sets := []*data.Set{d.Train, d.Validation, d.Test}
	if !c.Train.Augment.Options().None() {
		sets = append(sets, d.Train)
	}
	need := sweepNeed(c, d) + machines.Memory(c.Network(), machineOptions(c), sets...)
	limit, ok := memory.Available()
	if !ok || need == 0 {
		return 1 << 20
	}
	return int(limit.Bytes * 9 / 10 / need)
}

// sweepMachine makes the machine of a run.
func sweepMachine(c config.Config, cores, runs int) (vm.VM, error) {
	o := machineOptions(c)
	o.Cores, o.Runs = cores, runs
	m, _, err := machines.Open(c.Network(), o)
	return m, err
}

// sweepScreen shows how a sweep proceeds.
type sweepScreen struct {
	out      io.Writer
	stderr   io.Writer
	plan     *config.Sweep
	language lang.Language

	total, done, kept int
}

func (p *sweepScreen) say(text lang.Text, args ...any) { p.print(text.Format(p.language, args...)) }

func (p *sweepScreen) print(line string) { _, _ = fmt.Fprintln(p.out, terminal.Line(line)) }

// head says what the sweep is.
func (p *sweepScreen) head(dir string) {
	first := p.plan.Combinations[0].Config
	line := sweepRunsText.Format(p.language, first.Name, len(p.plan.Combinations))
	if n := p.plan.Seeds; n > 1 {
		line += sweepSeedsText.Format(p.language, n, first.Seed, first.Seed+uint64(n-1))
	}
	p.print(line)
	if p.plan.Random > 0 {
		p.say(sweepDrawnText, p.plan.Random)
	}
	for _, o := range p.plan.Over {
		p.print(terminal.Shorten(sweepValuesText.Format(p.language, o.Key, o.Text()), 300))
	}
	p.say(sweepFolderText, dir)
}

func (p *sweepScreen) started(d *data.Dataset, left, together int) {
	from := ""
	if d.Source != data.BuiltIn {
		from = fromText.Format(p.language, d.Source)
	}
	if v := d.Validation; v != nil {
		from = validationText.Format(p.language, v.Len()) + from
	}
	p.say(imagesText, d.Name, d.Train.Len(), d.Test.Len(), from)
	if p.kept > 0 {
		p.say(sweepKeptText, p.kept)
	}
	if left > 0 {
		p.say(sweepAtOnceText, left, together)
	}
}

func (p *sweepScreen) ended(c config.Combination, o sweep.Outcome, kept bool) {
	p.done++
	if kept {
		p.kept++
		return
	}
	what := ""
	switch m := o.Best; {
	case o.State == sweep.Failed:
		what = sweepFailedText.Format(p.language, o.Failed)
	case m == nil:
	case m.Validation != nil:
		what = sweepBothText.Format(p.language, m.ValidationAccuracy, m.TestAccuracy, m.Epoch)
	default:
		what = sweepTestText.Format(p.language, m.TestAccuracy, m.Epoch)
	}
	if o.State == sweep.StoppedEarly {
		what += sweepEarlyText.In(p.language)
	}
	p.say(sweepEndedText, len(strconv.Itoa(p.total)), p.done, p.total, p.title(c), what, sweepSecondsText.Format(p.language, o.Seconds))
}

// title names a run.
func (p *sweepScreen) title(c config.Combination) string {
	return cmp.Or(p.plan.Title(c), sweepSeedText.Format(p.language, c.Config.Seed))
}

func (p *sweepScreen) busy(c config.Combination, why error) {
	p.say(sweepBusyText, p.title(c), why)
}

// sweepLog keeps the log of a run, as trainRun does.
type sweepLog struct {
	screen
	session *train.Session
}

func (p *sweepScreen) log(_ config.Combination, c config.Config, d *data.Dataset, dir *rundir.Dir) sweep.Log {
	l := sweepLog{newScreen(io.Discard, dir, p.language, c.Train.Epochs, 1, d.Train.Len()), &train.Session{Config: c, Dataset: d, Dir: dir}}
	from := ""
	if d.Source != data.BuiltIn {
		from = fromText.Format(p.language, d.Source)
	}
	l.say(imagesText, d.Name, d.Train.Len(), d.Test.Len(), from)
	l.say(parametersText, c.Network().Text().In(p.language), c.Network().Size())
	return l
}

// End implements sweep.Log.
func (l sweepLog) End(result train.Result, err error) {
	l.report(result, l.session)
	logEnd(l.session.Dir, l.language, err, nil)
}

// results says what came out: the combinations, the best first, and the best run.
func (p *sweepScreen) results(t *sweep.Table, dir string) {
	const most = 12
	order := t.Order()
	word, chosen := sweepWordTest, sweepSetWord["test set"]
	if t.Chosen == "validation set" {
		word, chosen = sweepWordVal, sweepSetWord["validation set"]
	}
	if len(order) > 1 || t.Seeds > 1 {
		var head []string
		for _, o := range t.Over {
			head = append(head, o.Key)
		}
		if len(head) == 0 {
			head = []string{""}
		}
		rows := [][]string{append(head, strings.Split(sweepTableText.In(p.language), "|")...)}
		for _, i := range order[:min(len(order), most)] {
			c := t.Combinations[i]
			var row []string
			for _, s := range c.Over {
				row = append(row, terminal.Shorten(terminal.Line(s.Value), 40))
			}
			if len(row) == 0 {
				row = []string{""}
			}
			runs := strconv.Itoa(c.Runs)
			if c.Failed > 0 {
				runs += " (" + sweepFailedText.Format(p.language, strconv.Itoa(c.Failed)) + ")"
			}
			rows = append(rows, append(row, figureOf(c.Accuracy.Mean), figureOf(c.Accuracy.SD), figureOf(c.Accuracy.Min), figureOf(c.Accuracy.Max), runs))
		}
		for _, line := range terminal.Table(rows) {
			p.print(line)
		}
		if n := len(order) - most; n > 0 {
			p.say(sweepRestText, n, sweep.JSONFile)
		}
	}
	if t.Best == nil {
		p.say(sweepNoneText)
	} else {
		c := t.Combinations[t.Best.Combination]
		mean := ""
		if c.Accuracy.SD != nil {
			mean = " ± " + figureOf(c.Accuracy.SD) + sweepMeanText.Format(p.language, t.Seeds)
		}
		var names []string
		for _, s := range c.Over {
			names = append(names, s.Key+"="+s.Value)
		}
		p.say(sweepBestText, cmp.Or(strings.Join(names, " "), t.Plan.Combinations[0].Config.Name), word, figureOf(c.Accuracy.Mean), mean, sweepOnText.Format(p.language, chosen))
		p.say(sweepAloneText, filepath.Join(dir, filepath.FromSlash(t.Best.Folder)))
	}
	there := slices.DeleteFunc([]string{sweep.PageFile, sweep.FigureSVG, sweep.FigurePNG, sweep.CSVFile, sweep.JSONFile}, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err != nil
	})
	p.say(filesText, dir, strings.Join(there, ", "))
}

func figureOf(v *float64) string {
	if v == nil {
		return "-"
	}
	return accuracy(*v)
}
