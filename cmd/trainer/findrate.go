package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"trainer/data/files"
	"trainer/data/lang"
	"trainer/train/config"
	"trainer/train/rundir"
	"trainer/train/sweep"
	"trainer/train/terminal"
)

// What a search for a learning rate says.
var (
	rateTableText  = lang.Text{En: "rate|cost|smoothed", Zh: "学习率|代价|平滑后"}
	rateEndedText  = lang.Text{En: "the rate stopped growing at %.3g: %s", Zh: "学习率增至 %.3g 时停止：%s"}
	rateFoundText  = lang.Text{En: "the cost falls fastest at a learning rate of %v: try -set train.rate.initial=%[1]v", Zh: "学习率为 %v 时代价下降最快：可试 -set train.rate.initial=%[1]v"}
	rateLowestText = lang.Text{En: "it is lowest at %.2g; rates beyond are too large", Zh: "学习率为 %.2g 时代价最低；更大的学习率过大"}
	rateNoneText   = lang.Text{En: "the cost falls at no rate: look at the first weights (model.init)", Zh: "在任何学习率下代价都不下降：请检查初始权重（model.init）"}
	rateTitleText  = lang.Text{En: "%s: cost while the learning rate grows, batch %d", Zh: "%s：学习率增大时的代价，批量 %d"}
)

// findRate lets the rate grow over an epoch, and says where the cost falls fastest.
func (s *sweepFlags) findRate(stdout, stderr io.Writer) (err error) {
	c, err := s.read()
	if err != nil {
		return err
	}
	if file := c.Model.Init.File; file != "" {
		if c, err = s.readInitial(file, stderr); err != nil {
			return err
		}
	}
	l := c.Language(os.Getenv)
	c.Train.Runs = config.Runs{Count: 1}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	m, chose, err := newMachine(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	d, _, err := openDataset(ctx, c, false, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	show := func(line string) { _, _ = fmt.Fprintln(stdout, terminal.Line(line)) }
	show(c.Network().Text().In(l))
	show(chose.In(l))
	found, err := sweep.FindRate(ctx, c, d, m)
	if err != nil {
		return cause(ctx, err)
	}
	table := [][]string{strings.Split(rateTableText.In(l), "|")}
	every := max(1, len(found.Points)/20)
	for i := 0; i < len(found.Points); i += every {
		p := found.Points[i]
		table = append(table, []string{fmt.Sprintf("%.3g", p.Rate), fmt.Sprintf("%.4f", p.Cost), fmt.Sprintf("%.4f", p.Smooth)})
	}
	for _, line := range terminal.Table(table) {
		show(line)
	}
	if found.Ended != "" {
		show(rateEndedText.Format(l, found.Points[len(found.Points)-1].Rate, found.Ended))
	}
	if found.Suggested() > 0 {
		show(rateFoundText.Format(l, found.Suggested()))
		show(rateLowestText.Format(l, found.Points[found.Lowest].Rate))
	} else {
		show(rateNoneText.In(l))
	}
	f, err := found.Figure(rateTitleText.Format(l, terminal.Line(d.Name), c.Train.Batch), l)
	if err != nil {
		return err
	}
	dir := filepath.Clean(cmp.Or(s.out, filepath.Join("sweeps", rundir.CleanName(c.Name)+"-rate")))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{{sweep.RateCSV, found.CSV}, {sweep.RateSVG, f.SVG}, {sweep.RatePNG, f.PNG}} {
		if err := files.Write(filepath.Join(dir, file.name), file.write); err != nil {
			return err
		}
	}
	show(filesText.Format(l, dir, strings.Join([]string{sweep.RateSVG, sweep.RatePNG, sweep.RateCSV}, ", ")))
	return nil
}
