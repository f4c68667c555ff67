//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"errors"
	"fmt"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

// resident is a set on the device. The fields are those of kernel.Params; pixels
// is copied when a kernel first needs it.
type resident struct {
	set *data.Set // nil for inputs that are not images

	table             *driver.Memory // T[kernel.TableLen]; nil for inputs that are not images
	labels            *driver.Memory // u8[samples]
	pixels            *driver.Memory // u8[samples][inputs]
	start, index, row *driver.Memory // sparse rows: u32[samples+1], u16[entries], u8[entries]

	// For inputs that are not images, in the element type.
	values, rowValues, targets *driver.Memory
}

// Load implements vm.VM.
func (m *machine[T]) Load(set *data.Set) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.resident(set)
	if err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return nil
}

// Unload implements vm.VM.
func (m *machine[T]) Unload(set *data.Set) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sets[set]
	if s == nil {
		return nil
	}
	delete(m.sets, set)
	if err := s.free(); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return nil
}

// resident returns a set on the device. The first time, it copies the labels and
// the sparse rows, if there is memory for all of them.
func (m *machine[T]) resident(set *data.Set) (*resident, error) {
	if err := vm.CheckSet(set, m.network); err != nil {
		return nil, err
	}
	if s := m.sets[set]; s != nil {
		return s, nil
	}
	s := &resident{set: set}
	inputs := data.TableOf[T](set.Scale)
	start, index, value := rowsOf(set, inputs)
	needed := int64(4*len(start) + 3*len(index) + len(set.Labels))
	free, total, err := m.device.MemoryInfo()
	if err != nil {
		return nil, err
	}
	if needed > free {
		return nil, &driver.MemoryError{What: set.Name, Device: m.device.Info().Name, Needed: needed, Free: free, Total: total,
			Err: errors.New("nothing was copied")}
	}
	if s.labels, err = upload(m.device, set.Name+": labels", set.Labels); err == nil {
		if s.start, err = upload(m.device, set.Name+": row starts", start); err == nil {
			if s.index, err = upload(m.device, set.Name+": pixel indices", index); err == nil {
				if s.row, err = upload(m.device, set.Name+": pixels", value); err == nil {
					targets := set.Scale.TargetRange()
					s.table, err = upload(m.device, set.Name+": table of inputs", append(inputs[:], T(targets.Low), T(targets.High)))
				}
			}
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.free())
	}
	m.sets[set] = s
	return s, nil
}

// rowsOf returns the sparse rows of a set: the pixels whose input is not zero, by index
// and value. Those of image i are start[i] to start[i+1]-1.
func rowsOf[T data.Float](set *data.Set, inputs [256]T) (start []uint32, index []uint16, value []uint8) {
	start = make([]uint32, 1, set.Len()+1)
	for i := range set.Len() {
		for j, p := range set.Image(i) {
			if inputs[p] != 0 {
				index = append(index, uint16(j))
				value = append(value, p)
			}
		}
		start = append(start, uint32(len(index)))
	}
	return start, index, value
}

// inputs copies inputs, and targets unless y is nil, to the device.
func (m *machine[T]) inputs(x, y []float64) (_ *resident, err error) {
	in := m.network.Inputs()
	s := &resident{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.free())
		}
	}()
	start, index := []uint32{0}, []uint16{}
	values, rows := make([]T, len(x)), []T{}
	for k, v := range x {
		values[k] = T(v)
		if values[k] != 0 {
			index = append(index, uint16(k%in))
			rows = append(rows, values[k])
		}
		if (k+1)%in == 0 {
			start = append(start, uint32(len(index)))
		}
	}
	if s.values, err = upload(m.device, "inputs", values); err != nil {
		return nil, err
	}
	if s.start, err = upload(m.device, "row starts", start); err != nil {
		return nil, err
	}
	if s.index, err = upload(m.device, "input indices", index); err != nil {
		return nil, err
	}
	if s.rowValues, err = upload(m.device, "inputs", rows); err != nil {
		return nil, err
	}
	if y == nil {
		return s, nil
	}
	targets := make([]T, len(y))
	for k, v := range y {
		targets[k] = T(v)
	}
	s.targets, err = upload(m.device, "targets", targets)
	return s, err
}

// supply writes the addresses of a set to p. It first copies the pixels to the
// device if the image needs them.
func (m *machine[T]) supply(p *kernel.Params, s *resident, im *kernel.Image) error {
	if im.NeedsPixels && s.set != nil && s.pixels == nil {
		var err error
		if s.pixels, err = upload(m.device, s.set.Name+": images", s.set.Pixels); err != nil {
			return err
		}
	}
	p.Table = address(s.table)
	if s.table == nil {
		p.Table = address(m.table)
	}
	p.Labels, p.Pixels, p.Values, p.Targets = address(s.labels), address(s.pixels), address(s.values), address(s.targets)
	p.RowStart, p.RowIndex, p.RowPixel, p.RowValue = address(s.start), address(s.index), address(s.row), address(s.rowValues)
	return nil
}

func (s *resident) free() error {
	return freeAll(s.table, s.labels, s.pixels, s.start, s.index, s.row, s.values, s.rowValues, s.targets)
}
