package machines

import (
	"errors"
	"runtime"

	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/cuda"
)

// Found is a device of this computer.
type Found struct {
	Device Device    // CPU or CUDA
	About  lang.Text // which it is, in a line; or why there is none
	How    []How     // how the compiled machine would train on it; empty where there is none
}

// How says how a batch size is trained.
type How struct {
	Batch int // samples a step
	Text  lang.Text
}

// Devices lists the devices of this computer, the CPU first, and how each would
// train the network with these batch sizes. Where CUDA cannot be used, its entry
// says why.
func Devices(network model.Network, o Options, batches ...int) (found []Found, err error) {
	compiler := Compiler(network, o)
	m, err := cpu.New(network, compiler, cpu.Options{Cores: o.Cores})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	found = []Found{{CPU, lang.Text{En: "%s, %d cores", Zh: "%s，%d 核"}.With(runtime.GOARCH, runtime.GOMAXPROCS(0)), each(batches, m.Describe)}}
	devices, err := cuda.Devices()
	if err != nil {
		return append(found, Found{CUDA, lang.Text{En: "none: %v", Zh: "没有：%v"}.With(err), nil}), nil
	}
	for _, d := range devices {
		how := func(batch int) (lang.Text, error) { return cuda.ModeOf(network, compiler, batch, d) }
		found = append(found, Found{CUDA, lang.Text{En: "%v, driver for CUDA %s", Zh: "%v，CUDA %s 驱动"}.With(d, cuda.DriverVersion()), each(batches, how)})
	}
	return found, nil
}

// each describes each batch size; what is impossible is described by its error.
func each(batches []int, describe func(batch int) (lang.Text, error)) (how []How) {
	for _, batch := range batches {
		text, err := describe(batch)
		if err != nil {
			text = lang.Text{En: "%v", Zh: "%v"}.With(err)
		}
		how = append(how, How{batch, text})
	}
	return how
}
