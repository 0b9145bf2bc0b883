package fast

import "github.com/litequant/litequant/internal/simd"

// Product is a runner's state for a product whose right operand is packed at
// each invocation.
type Product struct {
	MM     simd.MatMulF32
	Packed simd.PackedF32
	pack   simd.PackTask
}

// Right packs src, [k,n] if kn is set and [n,k] otherwise, into buf.
func (p *Product) Right(e *Env, n, k int, src []float32, kn bool, buf []float32) {
	p.Packed = e.Level.NewPackedF32(n, k, buf[:e.Level.PackedLenF32(n, k)])
	p.pack = simd.PackTask{B: &p.Packed, Src: src, Ld: k, KN: kn}
	if kn {
		p.pack.Ld = n
	}
	e.Run(p.pack.Chunks(), &p.pack)
}

// Run computes the product.
func (p *Product) Run(e *Env) { e.Run(p.MM.Chunks(), &p.MM) }

// Transpose writes the transpose of src, [rows,cols], to dst.
func Transpose(dst, src []float32, rows, cols int) {
	for i := range rows {
		for j, v := range src[i*cols : (i+1)*cols] {
			dst[j*rows+i] = v
		}
	}
}
