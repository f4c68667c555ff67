package gradcheck

import "trainer/graph/delta"

// CentralDifference returns the central difference of the cost of one sample with respect
// to one parameter: w_ij of W^l, or b_i of b^l if bias. x has n^1 entries and y has
// n^L. It also returns a bound on the rounding error of the difference. See
// slopes.at for how it is taken. net is unchanged at the end, and must not be used
// by others meanwhile.
func CentralDifference(net delta.Network, x, y delta.Vector, l, i, j int, bias bool) (slope, roundingError float64) {
	xs, ys := []delta.Vector{x}, []delta.Vector{y}
	costError, _ := rounding(net, xs, ys, 0x1p-53, 0)
	return newSlopes(net, xs, ys, costError).at(l, i, j, bias)
}
