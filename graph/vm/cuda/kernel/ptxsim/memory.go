package ptxsim

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// access remembers who touched a word of memory: the last write, and the last
// reads of two threads since. A zero toucher is nobody.
type access struct{ writer, reader, other toucher }

// toucher says when a thread of a block touched a word: after how many barriers of
// its block and of its warp.
type toucher struct {
	block, thread int32 // thread + 1
	epoch, sync   uint32
}

// before reports whether what t did comes before what w does now. In a cooperative
// launch a block has seen what another did before a release, if it has acquired
// that and then passed a barrier.
func (t toucher) before(w *warp, thread int32) bool {
	b := w.block
	switch {
	case t.thread == 0:
		return true
	case t.block != int32(b.number):
		return b.seen != nil && t.epoch < b.seen[t.block]
	case t.thread == thread || t.epoch < b.epoch:
		return true
	}
	return (t.thread-1)/32 == int32(w.number) && t.sync < w.sync
}

// race checks an access of words by a lane.
func (s *machine) race(in *instruction, w *warp, lane int, words []access, offset, n int, write bool) {
	now := toucher{int32(w.block.number), int32(w.number*32+lane) + 1, w.block.epoch, w.sync}
	for q := offset / 4; q <= (offset+n-1)/4; q++ {
		a := &words[q]
		with := a.writer
		ok := with.before(w, now.thread)
		if ok && write {
			if with = a.reader; !with.before(w, now.thread) {
				ok = false
			} else if with = a.other; !with.before(w, now.thread) {
				ok = false
			}
		}
		if !ok {
			s.fault(in, "race", fmt.Sprintf("block %d thread %d and block %d thread %d, word %d", now.block, now.thread-1, with.block, with.thread-1, q))
		}
		switch {
		case write:
			*a = access{writer: now}
		case a.reader.thread == now.thread && a.reader.block == now.block:
			a.reader = now
		default:
			// Keep a reader of another warp or block, if there is one.
			if !a.reader.before(w, now.thread) && a.reader.thread != 0 && (a.other.thread == 0 || a.other.before(w, now.thread)) {
				a.other = a.reader
			}
			a.reader = now
		}
	}
}

// place is where an access of a lane goes.
type place struct {
	space   space
	offset  int
	bytes   []byte
	defined []bool // of shared and local memory
}

// resolve finds the memory of n bytes at an address. ok is false after a fault.
func (s *machine) resolve(in *instruction, w *warp, lane int, address uint64, n int) (at place, ok bool) {
	sp := in.space
	switch {
	case sp == generic && address >= globalBase, sp == global:
		sp, address = global, address-globalBase
	case sp == generic && address >= sharedBase:
		sp, address = shared, address-sharedBase
	case sp == generic && address >= localBase:
		sp, address = local, address-localBase
	}
	where := func() string {
		return fmt.Sprintf("block %d thread %d address %d", w.block.number, w.number*32+lane, address)
	}
	if address%uint64(n) != 0 {
		s.fault(in, "misaligned", where())
	}
	switch sp {
	case shared:
		b := w.block
		if address < sharedAt || address-sharedAt+uint64(n) > uint64(len(b.shared)) {
			s.fault(in, "outside of shared memory", where())
			return at, false
		}
		o := int(address - sharedAt)
		return place{shared, o, b.shared[o : o+n], b.defined[o : o+n]}, true
	case local:
		size := s.program.local
		if address+uint64(n) > uint64(size) || address > uint64(size) {
			s.fault(in, "outside of local memory", where())
			return at, false
		}
		o := lane*size + int(address)
		return place{local, int(address), w.local[o : o+n], w.defined[o : o+n]}, true
	case global:
		all := s.memory.Allocations
		k := sort.Search(len(all), func(i int) bool { return uint64(all[i][0]) > address }) - 1
		if k < 0 || address+uint64(n) > uint64(all[k][0]+all[k][1]) || address > uint64(len(s.memory.Bytes)) {
			s.fault(in, "outside of the allocations", where())
			return at, false
		}
		return place{global, int(address), s.memory.Bytes[address : address+uint64(n)], nil}, true
	}
	s.fault(in, "not an address", where())
	return at, false
}

// get and put read and write a value.
func get(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func put(b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}

// access executes a load, a store or an atomic operation for the lanes of mask.
func (s *machine) access(w *warp, in *instruction, mask uint32) {
	values := len(in.dst)
	if in.do == store {
		values = len(in.src)
	}
	if in.do == atomic {
		values = 1
	}
	size := in.kind.bytes
	n := size * values
	if w.undefined[in.base]&mask != 0 {
		s.fault(in, "undefined address", "")
	}
	var undefined [4]uint32
	var touched [32]int // offset in the space + 1
	sp := local
	for lane := range 32 {
		if mask>>lane&1 == 0 {
			continue
		}
		at, ok := s.resolve(in, w, lane, w.reg[in.base][lane]+uint64(in.offset), n)
		if !ok {
			continue
		}
		sp, touched[lane] = at.space, at.offset+1
		if !in.strong && at.space != local {
			words := w.block.words
			if at.space == global {
				words = s.global
			}
			s.race(in, w, lane, words, at.offset, n, in.do == store)
		}
		if s.options.Weak && at.space == global && in.do != atomic {
			at.bytes = w.block.weak(in, at, in.do == store)
		}
		switch in.do {
		case load:
			for q, d := range in.dst {
				w.reg[d][lane] = get(at.bytes[q*size : (q+1)*size])
				if at.defined != nil && !all(at.defined[q*size:(q+1)*size]) {
					undefined[q] |= 1 << lane
				}
			}
		case store:
			for q, v := range in.src {
				put(at.bytes[q*size:(q+1)*size], w.reg[v][lane])
				known := w.undefined[v]>>lane&1 == 0
				if at.defined == nil && !known {
					s.fault(in, "an undefined value goes to global memory", "")
				}
				for k := range at.defined[min(len(at.defined), q*size):min(len(at.defined), (q+1)*size)] {
					at.defined[q*size+k] = known
				}
			}
			if s.options.Weak && at.space == global {
				w.block.hold(s, in, at)
			}
		case atomic:
			s.atomic(w, in, lane, at)
		}
		if at.space == global && (in.acquire || in.release) {
			s.order(w.block, in, at.offset)
		}
		if s.options.Timed && at.space == global && in.strong {
			s.stamp(w, in, at)
		}
	}
	for q, d := range in.dst {
		w.undefined[d] = w.undefined[d]&^mask | undefined[q]
	}
	s.count(w, in, sp, touched[:], n)
}

func all(known []bool) bool {
	for _, k := range known {
		if !k {
			return false
		}
	}
	return true
}

// atomic executes an atomic operation of a lane. It is of words in memory, also with
// Options.Weak.
func (s *machine) atomic(w *warp, in *instruction, lane int, at place) {
	if s.options.Weak && at.space == global {
		if in.release {
			w.block.flush(s)
		}
		for k := range at.bytes {
			delete(w.block.cache, at.offset+k)
		}
		if in.acquire {
			clear(w.block.cache)
		}
	}
	old, a := get(at.bytes), w.reg[in.src[0]][lane]
	v := a
	switch in.modifier {
	case "add":
		v = old + a
	case "cas":
		v = old
		if old == a {
			v = w.reg[in.src[1]][lane]
		}
	case "min":
		v = min(old, a)
	case "max":
		v = max(old, a)
	}
	put(at.bytes, v)
	if len(in.dst) > 0 {
		w.reg[in.dst[0]][lane] = old
	}
}

// order makes a block publish, or receive, what was done before.
func (s *machine) order(b *block, in *instruction, offset int) {
	if b.seen == nil {
		return
	}
	word := b.published[offset]
	if word == nil {
		word = make([]uint32, len(b.seen))
		b.published[offset] = word
	}
	if in.release {
		for k, v := range b.seen {
			word[k] = max(word[k], v)
		}
		word[b.number] = max(word[b.number], b.epoch)
	}
	if in.acquire {
		for k, v := range word {
			b.coming[k] = max(b.coming[k], v)
		}
	}
}

// weak returns the bytes of an access as the block sees them: what it stored, else
// what is in its cache, else memory, which then stays in the cache. A strong
// access passes by the cache.
func (b *block) weak(in *instruction, at place, write bool) []byte {
	if in.do == load && in.acquire {
		clear(b.cache)
	}
	seen := make([]byte, len(at.bytes))
	copy(seen, at.bytes)
	if write {
		return seen
	}
	for k := range seen {
		o := at.offset + k
		if v, ok := b.held[o]; ok {
			seen[k] = v
		} else if v, ok := b.cache[o]; ok && !in.strong {
			seen[k] = v
		} else if !in.strong {
			b.cache[o] = seen[k]
		}
	}
	return seen
}

// hold ends a store in weak memory: a strong one reaches memory at once, another one
// with the next fence.
func (b *block) hold(s *machine, in *instruction, at place) {
	if in.release {
		b.flush(s)
	}
	for k, v := range at.bytes {
		o := at.offset + k
		delete(b.held, o)
		if in.strong {
			delete(b.cache, o)
			s.memory.Bytes[o] = v
			continue
		}
		b.held[o] = v
	}
}

// flush makes the stores of a block reach memory.
func (b *block) flush(s *machine) {
	for o, v := range b.held {
		s.memory.Bytes[o] = v
	}
	clear(b.held)
}

// count counts an access of a warp: the passes over the 32 banks of shared memory,
// and the sectors of global memory. touched has the offsets of the lanes + 1.
func (s *machine) count(w *warp, in *instruction, sp space, touched []int, n int) {
	passes, sectors := 0, 0
	switch sp {
	case shared:
		// A pass reads a word of each bank, for all lanes that want it.
		var banks [32][]int
		words := 0
		for _, o := range touched {
			if o == 0 {
				continue
			}
			for word := (o - 1) / 4; word <= (o-2+n)/4; word++ {
				bank := &banks[word%32]
				if !contains(*bank, word) {
					*bank = append(*bank, word)
					words++
					passes = max(passes, len(*bank))
				}
			}
		}
		s.counts.Shared++
		s.counts.Wavefronts += uint64(passes)
		s.counts.Ideal += uint64((words + 31) / 32)
	case global:
		var all []int
		for _, o := range touched {
			if o == 0 {
				continue
			}
			for k := (o - 1) / 32; k <= (o-2+n)/32; k++ {
				if !contains(all, k) {
					all = append(all, k)
				}
			}
		}
		sectors = len(all)
		s.hit = true
		for _, k := range all {
			if !w.block.l1[k] {
				s.hit, w.block.l1[k] = false, true
			}
		}
		s.counts.Global++
		s.counts.Sectors += uint64(sectors)
	}
	if s.options.Timed {
		s.accessTime(w, in, sp, passes, sectors)
	}
}

func contains(list []int, v int) bool {
	for k := len(list) - 1; k >= 0; k-- {
		if list[k] == v {
			return true
		}
	}
	return false
}
