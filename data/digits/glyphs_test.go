package digits

import (
	"math"
	"testing"
)

func TestGlyphs(t *testing.T) {
	for digit, forms := range glyphs {
		shares := 0.0
		for k, f := range forms {
			shares += f.share
			for i, p := range f.poses {
				if len(p) != len(f.poses[0]) {
					t.Errorf("%d, form %d: pose %d has %d strokes, pose 0 %d", digit, k, i, len(p), len(f.poses[0]))
					continue
				}
				for j, s := range p {
					if len(s) != len(f.poses[0][j]) || len(s) < 2 {
						t.Errorf("%d, form %d: stroke %d of pose %d has %d nodes, of pose 0 %d; want equal, and 2 at least",
							digit, k, j, i, len(s), len(f.poses[0][j]))
					}
					for _, n := range s {
						if n.x < -5 || n.x > 105 || n.y < 0 || n.y > 100 {
							t.Errorf("%d, form %d, pose %d: node (%g, %g) is off the paper", digit, k, i, n.x, n.y)
						}
					}
				}
			}
		}
		if math.Abs(shares-1) > 1e-9 {
			t.Errorf("%d: the shares of its forms sum to %g, want 1", digit, shares)
		}
	}
}
