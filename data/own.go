package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"trainer/data/lang"
)

// readPair reads the files of a set.
func readPair(ctx context.Context, format Kind, p pair, o csvOptions) (*table, error) {
	switch format {
	case CSV:
		return readCSVFile(ctx, p.images, o)
	case classFolders:
		return readClassFolders(ctx, p.images)
	}
	return readIDXFiles(ctx, p, false)
}

func (s Spec) csvOptions() csvOptions { return csvOptions{label: s.Label, values: s.Values} }

// folder reads a set of one's own from s.Dir.
func (s Spec) folder(ctx context.Context, kind Kind) (*Dataset, []Note, error) {
	formats := []Kind{kind}
	switch kind {
	case Files:
		formats = []Kind{IDX, CSV, classFolders}
	case CSV, IDX:
	}
	f, err := findOwn(s.Dir, s.TestOnly, formats...)
	if err != nil {
		return nil, nil, err
	}
	if s.TestOnly && f.test.images != "" {
		f.train = pair{}
	}
	train, test, err := f.read(ctx, func(ctx context.Context, p pair) (*table, error) {
		t, err := readPair(ctx, f.format, p, s.csvOptions())
		if errors.Is(err, errNoLabels) && p == f.test && f.train.images != "" {
			err = fmt.Errorf("%w; to take a part of the training set for the test, set data.train to %s, and not data.dir", err, f.train.images)
		}
		return t, err
	})
	if err != nil {
		return nil, nil, err
	}
	return s.assemble(s.Dir, train, test)
}

// named reads a set that is known by its name from s.Dir.
func (s Spec) named(ctx context.Context, n namedSet) (*Dataset, []Note, error) {
	f, err := n.files(s.Dir, s.TestOnly)
	if err != nil {
		return nil, nil, err
	}
	train, test, err := f.read(ctx, func(ctx context.Context, p pair) (*table, error) { return readIDXFiles(ctx, p, false) })
	if err != nil {
		return nil, nil, err
	}
	if err := n.refuseMNIST(test); err != nil {
		return nil, nil, err
	}
	notes, err := n.verify(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	if s.ClassNames == nil {
		s.ClassNames = n.classes
	}
	s.Values = s.Values.or(Range{0, 255})
	d, more, err := s.assemble(s.Dir, train, test)
	if err != nil {
		return nil, nil, err
	}
	d.Name = n.title
	for _, set := range []*Set{d.Train, d.Test} {
		if set == nil {
			continue
		}
		set.Name = strings.Replace(set.Name, s.Dir, n.title, 1)
		if n.transposed {
			set.transpose()
		}
	}
	return d, append(notes, more...), nil
}

// files reads the sets in s.TrainFiles and s.TestFiles.
func (s Spec) files(ctx context.Context) (*Dataset, []Note, error) {
	train, err := s.tables(ctx, "data.train", s.TrainFiles, s.TestOnly && len(s.TestFiles) > 0)
	if err != nil {
		return nil, nil, err
	}
	test, err := s.tables(ctx, "data.test", s.TestFiles, false)
	if errors.Is(err, errNoLabels) && train != nil {
		err = fmt.Errorf("%w; without data.test, a part of the training set is taken for the test", err)
	}
	if err != nil {
		return nil, nil, err
	}
	if train == nil && test == nil || train == nil && !s.TestOnly {
		return nil, nil, errors.New("data: no training set: set data.train")
	}
	name := strings.Join(s.TrainFiles, ", ")
	if train == nil {
		name = strings.Join(s.TestFiles, ", ")
	} else if test != nil {
		name += " and " + strings.Join(s.TestFiles, ", ")
	}
	return s.assemble(name, train, test)
}

// tables reads all files that some paths name, and joins what is in them; nil for
// no paths, or if they are not wanted. key is for errors.
func (s Spec) tables(ctx context.Context, key string, paths []string, unwanted bool) (all *table, err error) {
	if len(paths) == 0 || unwanted {
		return nil, nil
	}
	files, err := expand(key, paths)
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		t, err := s.path(ctx, path)
		switch {
		case errors.Is(err, errLabelsFile) && len(files) > 1:
			continue // it is read with its images
		case err != nil:
			return nil, err
		case all == nil:
			all = t
		default:
			if err := all.join(t); err != nil {
				return nil, err
			}
		}
	}
	if all == nil {
		return nil, fmt.Errorf("data: %s: only files of labels", key)
	}
	return all, nil
}

// expand returns the files that paths and patterns name, in order.
func expand(key string, paths []string) (files []string, err error) {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil || !strings.ContainsAny(path, "*?[") {
			files = append(files, path)
			continue
		}
		matches, err := filepath.Glob(path)
		if err != nil {
			return nil, fmt.Errorf("data: %s: %s: %w", key, path, err)
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("data: %s: no file matches %s", key, path)
		}
		for _, m := range matches {
			if !slices.Contains(files, m) {
				files = append(files, m)
			}
		}
	}
	return files, nil
}

var errLabelsFile = errors.New("this is a file of labels: name the file of images, and the labels are found beside it")

// path reads a file, or a folder of class folders, by its content.
func (s Spec) path(ctx context.Context, path string) (*table, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, folderError(path, err)
	}
	if info.IsDir() {
		if !isClassFolders(path) {
			return nil, fmt.Errorf("data: %s: a folder without folders of PNG or JPEG images, one for each class (%s); "+
				"the folder of a whole data set goes into data.dir", path, contents(path))
		}
		return readClassFolders(ctx, path)
	}
	in, err := openInput("data", path)
	if err != nil {
		return nil, err
	}
	in.close()
	switch {
	case bytes.HasPrefix(in.head, []byte{0, 0, 8, 1}), bytes.HasPrefix(in.head, []byte{0, 0, 0x0c, 2}):
		return nil, fmt.Errorf("data: %s: %w", path, errLabelsFile)
	case bytes.HasPrefix(in.head, []byte{0, 0, 8}), bytes.HasPrefix(in.head, []byte{0, 0, 0x0c}):
		labels, err := labelsOf(path)
		if err != nil {
			return nil, err
		}
		return readIDXFiles(ctx, pair{path, labels}, false)
	}
	return readCSVFile(ctx, path, s.csvOptions())
}

// assemble makes a data set of what was read: the values become bytes, the labels
// classes, and, where there is no test set, a part of the training set becomes
// one. Train is nil where only the test set was read.
func (s Spec) assemble(name string, train, test *table) (d *Dataset, notes []Note, err error) {
	if err := sameSize(train, test); err != nil {
		return nil, nil, err
	}
	var tables []*table
	for _, t := range []*table{train, test} {
		if t != nil {
			tables = append(tables, t)
			for _, n := range t.notes {
				// What is true of both files is said once.
				if t == train || train == nil || !slices.Contains(train.notes, n.of(test.path, train.path)) {
					notes = append(notes, n)
				}
			}
		}
	}
	if train != nil && len(train.codes()) == 1 {
		return nil, nil, fmt.Errorf("data: %s: all %d labels are %s, and there is nothing to learn from one class%s",
			train.path, len(train.labels), quote([]byte(train.texts()[0])), train.advice)
	}
	d = &Dataset{Name: name, Source: name}
	var said []Note
	if d.Values, said, err = rangeOf(s.Values, tables...); err != nil {
		return nil, nil, err
	}
	notes = append(notes, said...)
	scale := Scale{}
	if scale.Pixels, said, err = quantize(d.Values, tables...); err != nil {
		return nil, nil, err
	}
	if scale.Pixels == (Range{0, 255}) {
		scale.Pixels = Range{}
	}
	notes = append(notes, said...)
	c, err := classesOf(s.ClassNames, s.Classes, tables...)
	if err != nil {
		return nil, nil, err
	}
	notes = append(notes, c.notes...)
	for _, part := range []struct {
		t  *table
		to **Set
	}{{train, &d.Train}, {test, &d.Test}} {
		if part.t == nil {
			continue
		}
		if *part.to, err = c.set(part.t); err != nil {
			return nil, nil, err
		}
		(*part.to).Scale = scale
	}
	if d.Test == nil {
		count := part(s.splitTest(), d.Train.Len())
		if d.Train, d.Test, err = d.Train.takeOut(count, s.SplitSeed, "test set"); err != nil {
			return nil, nil, fmt.Errorf("data.split.test: %w", err)
		}
		notes = append(notes, remark(lang.Text{En: "no test set was named: %d of the %d images of %s are it (data.split)", Zh: "没有指定测试集：取 %[3]s 的 %[2]d 幅图像中的 %[1]d 幅作为测试集（data.split）"}, count, count+d.Train.Len(), train.path))
		if s.TestOnly {
			d.Train = nil
		}
	}
	if d.Train != nil {
		d.Train.Name = name + " train"
	}
	d.Test.Name = name + " test"
	return d, notes, nil
}

// finish makes of a data set what all kinds can have, and says what is odd about
// its labels.
func (s Spec) finish(d *Dataset) (notes []Note, err error) {
	if d.Values == (Range{}) {
		d.Values = Range{0, 255}
		if v := s.Values.or(d.Values); v != d.Values {
			return nil, fmt.Errorf("data: the values of %s go from %v, and data.values from %v", d.Name, d.Values, v)
		}
	}
	d.Transposed = s.Transpose
	for _, set := range []*Set{d.Train, d.Test} {
		if set == nil {
			continue
		}
		if set.ClassNames == nil && s.ClassNames != nil {
			if len(s.ClassNames) != set.Classes {
				return nil, fmt.Errorf("data: %s has %d classes, and data.classes %d names", d.Name, set.Classes, len(s.ClassNames))
			}
			set.ClassNames = s.ClassNames
		}
		set.Scale.Inputs, set.Scale.Targets = s.Inputs, s.Targets
		if s.Transpose {
			set.transpose()
		}
	}
	if d.Train == nil {
		return nil, nil
	}
	if s.Validation > 0 {
		name := d.Train.Name
		if d.Train, d.Validation, err = d.Train.takeOut(part(s.Validation, d.Train.Len()), s.SplitSeed, "validation set"); err != nil {
			return nil, fmt.Errorf("data.validation: %w", err)
		}
		d.Validation.Name = strings.TrimSuffix(name, " train") + " validation"
	}
	return s.judge(d), nil
}

// judge says what is odd about the labels of a data set.
func (s Spec) judge(d *Dataset) (notes []Note) {
	warn := func(text lang.Text, args ...any) { notes = append(notes, warning(text, args...)) }
	train, test := d.Train.Counts(), d.Test.Counts()
	for _, part := range []struct {
		set    *Set
		counts []int
	}{{d.Train, train}, {d.Test, test}} {
		for k, n := range part.counts {
			if total := part.set.Len(); 10*n > 9*total && total > 1 {
				warn(lang.Text{En: "%s: %d of %d labels (%.0f %%) are %s: a network that always answers that is right as often", Zh: "%s：%[3]d 个标签中有 %[2]d 个（%.0[4]f %%）是 %[5]s：一个总是这样回答的网络也有这么高的准确率"},
					part.set.Name, n, total, 100*float64(n)/float64(total), part.set.ClassName(k))
			}
		}
	}
	var missing, strange []string
	common := false
	for k, n := range train {
		switch {
		case n > 0:
			common = common || test[k] > 0
		case test[k] > 0:
			strange = append(strange, d.Train.ClassName(k))
		case s.Classes > 0:
			missing = append(missing, d.Train.ClassName(k))
		}
	}
	for k := d.Train.Classes; k < s.Classes; k++ {
		missing = append(missing, d.Train.ClassName(k))
	}
	switch {
	case !common && d.Test.Len() > 0 && d.Train.Len() > 0:
		warn(lang.Text{En: "%s: none of its labels occurs in %s: the two do not belong together", Zh: "%s：其中的标签在 %s 中一个也没有：两者不是一套"}, d.Test.Name, d.Train.Name)
	case len(strange) > 0:
		warn(lang.Text{En: "%s: no image of %s, which %s has", Zh: "%[1]s：没有%[2]s的图像，而 %[3]s 有"}, d.Train.Name, classList(strange), d.Test.Name)
	}
	if len(missing) > 0 {
		warn(lang.Text{En: "%s: no image of %s, though the network has an output for each class (model.layers)", Zh: "%s：没有%s的图像，但网络为每个类别都有一个输出（model.layers）"}, d.Train.Name, classList(missing))
	}
	if s.Ordered && d.Train.Len() > 1 && slices.IsSorted(d.Train.Labels) {
		warn(lang.Text{En: "%s: the images are sorted by class, and they are not shuffled: a network forgets the first classes while it learns the last (train.shuffle)", Zh: "%s：图像按类别排列，而且不打乱：网络在学后面的类别时会忘记前面的（train.shuffle）"}, d.Train.Name)
	}
	return notes
}

// classList lists names of classes, the first ones and the last of many.
func classList(names []string) lang.Text {
	if len(names) == 1 {
		return lang.Text{En: "class %s", Zh: "类别 %s "}.With(names[0])
	}
	if len(names) > 6 {
		names = append(append(slices.Clone(names[:4]), "…"), names[len(names)-1])
		return lang.Text{En: "the classes %s", Zh: "类别 %s "}.With(strings.Join(names, ", "))
	}
	return lang.Text{En: "the classes %s and %s", Zh: "类别 %s 和 %s "}.With(strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
}
