package lower

import "trainer/graph/ir"

// align is the alignment of temporaries in the arena, in elements: 64 bytes of
// float32, a cache line.
const align = 16

// planMemory gives each temporary a place in the arena, the lowest that no
// temporary with an overlapping live range takes.
func planMemory(p *ir.Program) {
	live := ir.Live(p)
	var placed []ir.Ref
	p.Arena = 0
	for _, in := range p.Code {
		if in.Op.IsUpdate() {
			continue
		}
		b := &p.Buffers[in.Dst]
		b.Offset = 0
		for moved := true; moved; {
			moved = false
			for _, r := range placed {
				other := p.Buffers[r]
				if live[r].Overlaps(live[in.Dst]) && b.Offset < other.Offset+other.Len() && other.Offset < b.Offset+b.Len() {
					b.Offset = (other.Offset + other.Len() + align - 1) / align * align
					moved = true
				}
			}
		}
		p.Arena = max(p.Arena, b.Offset+b.Len())
		placed = append(placed, in.Dst)
	}
}
