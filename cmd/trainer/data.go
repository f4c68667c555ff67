package main

import (
	"cmp"
	"flag"
	"fmt"
	"image/png"
	"io"
	"os"

	"trainer/data"
	"trainer/data/describe"
	"trainer/data/files"
	"trainer/data/lang"
)

// dataCommand describes the configured data set.
func dataCommand(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("data", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	sheet := f.String("o", "", "write samples of each class to this `file`, a PNG image")
	asJSON := f.Bool("json", false, "print JSON")
	c, err := flags.parse(f, args, stdout)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	d, notes, err := data.Open(ctx, datasetSpec(c, stderr))
	if err != nil {
		return cause(ctx, err)
	}
	shown := cmp.Or(d.Train, d.Test)
	report := describe.New(d, notes)
	if *asJSON {
		err = printJSON(stdout, report)
	} else {
		err = report.Text(stdout, c.Language(os.Getenv))
	}
	if n := c.Network(); err == nil && !*asJSON && (n.Inputs() != shown.Inputs() || n.Outputs() < shown.Classes) {
		other := lang.Text{En: "the network is %v: for this data set, set %s", Zh: "网络为 %v：对此数据集请设置 %s"}
		_, err = fmt.Fprintln(stdout, other.Format(c.Language(os.Getenv), n, layersFor(n, shown)))
	}
	if err != nil || *sheet == "" {
		return err
	}
	return files.Write(*sheet, func(w io.Writer) error { return png.Encode(w, describe.Sheet(shown)) })
}
