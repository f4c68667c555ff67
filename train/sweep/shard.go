package sweep

import (
	"fmt"
	"strconv"
	"strings"

	"trainer/train/config"
)

// Shard is a part of the runs of a sweep: of every Of runs one, from the Number-th on,
// counted from 1. The zero Shard is all of them.
type Shard struct{ Number, Of int }

// of returns the runs of the shard.
func (s Shard) of(runs []config.Combination) (some []config.Combination) {
	if s.Of < 2 {
		return runs
	}
	for i := s.Number - 1; i < len(runs); i += s.Of {
		some = append(some, runs[i])
	}
	return some
}

// Count returns the number of runs of the shard, of n in all.
func (s Shard) Count(n int) int { return len(s.of(make([]config.Combination, n))) }

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Number, s.Of) }

// ParseShard parses "2/6", the second of six shards.
func ParseShard(text string) (s Shard, err error) {
	number, of, ok := strings.Cut(text, "/")
	s.Number, err = strconv.Atoi(number)
	if err == nil {
		s.Of, err = strconv.Atoi(of)
	}
	if !ok || err != nil || s.Of < 1 || s.Number < 1 || s.Number > s.Of {
		return Shard{}, fmt.Errorf("the shard is %q: want one from 1/6 to 6/6, for six of them", text)
	}
	return s, nil
}

// The variables that say which shard a process is, beside Slurm's.
const (
	CountVariable = "TRAINER_SHARDS"       // how many there are
	indexVariable = "JOB_COMPLETION_INDEX" // of a Kubernetes Indexed Job, from 0
	slurmPrefix   = "SLURM_ARRAY_TASK_"
)

// ShardOf returns the shard that the environment says: that of a task of a Slurm array,
// or of a pod of a Kubernetes Indexed Job, which does not say how many there are: count
// does, or else the variable TRAINER_SHARDS. from names the variable; "": none says
// anything. getenv is os.Getenv.
func ShardOf(getenv func(string) string, count int) (s Shard, from string, err error) {
	number := func(name string) (int, error) {
		n, err := strconv.Atoi(getenv(name))
		if err != nil {
			return 0, fmt.Errorf("%s is %q: want a number", name, getenv(name))
		}
		return n, nil
	}
	if text := getenv(CountVariable); text != "" && count == 0 {
		if count, err = number(CountVariable); err != nil {
			return s, "", err
		} else if count < 1 {
			return s, "", fmt.Errorf("%s is %d: want 1 or more", CountVariable, count)
		}
	}
	switch {
	case getenv(slurmPrefix+"ID") != "":
		from = slurmPrefix + "ID"
		id, err := number(from)
		if err != nil {
			return s, "", err
		}
		least, step := 0, 1
		for name, to := range map[string]*int{"MIN": &least, "STEP": &step} {
			if getenv(slurmPrefix+name) != "" {
				if *to, err = number(slurmPrefix + name); err != nil {
					return s, "", err
				}
			}
		}
		if count == 0 {
			if count, err = number(slurmPrefix + "COUNT"); err != nil {
				return s, "", err
			}
		}
		s = Shard{(id-least)/max(step, 1) + 1, count}
	case getenv(indexVariable) != "":
		from = indexVariable
		index, err := number(from)
		if err != nil {
			return s, "", err
		}
		if count == 0 {
			return s, "", fmt.Errorf("%s is %d, and nothing says of how many: give -shards, or set %s", from, index, CountVariable)
		}
		s = Shard{index + 1, count}
	case count > 0:
		return s, "", fmt.Errorf("there are %d shards, and nothing says which one this is: give -shard 1/%[1]d, or set %s", count, indexVariable)
	default:
		return s, "", nil
	}
	if s.Number < 1 || s.Number > s.Of {
		return Shard{}, "", fmt.Errorf("%s says shard %d of %d, which is none: give -shard", from, s.Number, s.Of)
	}
	return s, from, nil
}
