package pass

import "slices"

// Float is what TensorFlow's converter does to a model between legalization and
// quantization, in order.
//
// Equal constants are merged first because the origins of merged ones are lost,
// which shows in fused names. Fusion runs twice: what precedes an affine
// operator is folded into it only when nothing else could use it.
func Float() []Pass {
	return []Pass{
		{"check", eachSubgraph(check)},
		{"fold", eachSubgraph(fold)},
		{"dedup", eachSubgraph(dedup)},
		{"cse", eachSubgraph(cse)},
		{"tidy", eachSubgraph(fuseWith([]rule{constRight, identity, earlyDoubleReshape}))},
		{"early", eachSubgraph(fuseWith(earlyFusions))},
		{"fuse", eachSubgraph(fuseWith(fusions))},
		{"fold", eachSubgraph(fold)},
		{"fuse preceding", eachSubgraph(fuseWith(slices.Concat(fusions, precedingFusions)))},
		{"dedup", eachSubgraph(dedup)},
		{"cse", eachSubgraph(cse)},
		{"dead", dead},
	}
}

// fusions are the rules tried on each node, the most specific first.
var fusions = []rule{
	constRight,
	identity,
	doubleTranspose,
	doubleReshape,
	reshapeForm,
	clampForm,
	divToMul,
	hardSwish,
	leakyForm,
	preluForm,
	fuseActivation,
	activationBeforeMove,
	constBeforeReshape,
	scaleOfBiased,
	addOfAdd,
	fuseAdd,
	fuseScale,
	fuseAddFullyConnected,
	fuseFullyConnectedAdd,
	fuseScaleFullyConnected,
	fuseFullyConnectedScale,
	fusePadDepthwise,
}

// earlyFusions are done before any arithmetic is fused.
var earlyFusions = []rule{
	fusePadConv,
	scaleOfBiased,
	earlyScale,
	reshapeAfterFullyConnected,
	reshapeBeforeFullyConnected,
}

// precedingFusions fold an operation by a scalar into the affine operator that
// follows, and make up for reshapes that could not be removed early.
var precedingFusions = []rule{
	fusePrecedingScalar,
	reshapeAfterFullyConnected,
	reshapeBeforeFullyConnected,
	keepBeforeReshape,
}
