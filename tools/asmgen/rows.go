package main

// rowKernels print the element-wise helpers. They work on whole vectors of 32
// bytes; the Go wrapper computes what is left over. Products and sums are
// rounded separately (no FMA): every level gives the same bits.
func rowKernels(a *asm) {
	binary(a, "addF32AVX2", 4, "VADDPS Y1, Y0, Y0")
	binary(a, "maxF32AVX2", 4, "VMAXPS Y0, Y1, Y0")
	binary(a, "reluGradF32AVX2", 4, "VXORPS Y2, Y2, Y2", "VCMPPS $0x1E, Y2, Y1, Y1", "VANDPS Y1, Y0, Y0")
	reduceMax(a)
	binary(a, "maxU8AVX2", 1, "VPMAXUB Y1, Y0, Y0")
	binary(a, "maxI8AVX2", 1, "VPMAXSB Y1, Y0, Y0")
	clampRow(a)
	axpy(a)
	adam(a)
	flip(a)
	widen(a)
	transpose(a)
}

// vectorLoop runs body for CX = 0, 32, … below the byte length of dst.
func vectorLoop(a *asm, size int, body func()) {
	a.op("MOVQ %s, BX", a.arg("dst_len"))
	if size == 4 {
		a.op("SHLQ $2, BX")
	}
	a.op("XORL CX, CX")
	a.op("JMP  check")
	a.label("loop")
	body()
	a.op("ADDQ $32, CX")
	a.label("check")
	a.op("CMPQ CX, BX")
	a.op("JLT  loop")
	a.ret()
}

// binary prints dst[i] = x[i] op y[i] with x in Y0 and y in Y1.
func binary(a *asm, name string, size int, ops ...string) {
	a.text(name, slices("dst", "x", "y"))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("x"))
	a.op("MOVQ %s, DX", a.arg("y"))
	vectorLoop(a, size, func() {
		a.op("VMOVUPS (SI)(CX*1), Y0")
		a.op("VMOVUPS (DX)(CX*1), Y1")
		for _, op := range ops {
			a.op("%s", op)
		}
		a.op("VMOVUPS Y0, (DI)(CX*1)")
	})
}

func reduceMax(a *asm) {
	a.text("reduceMaxF32AVX2", join(slices("x"), words("ret")))
	a.op("MOVQ %s, SI", a.arg("x"))
	a.op("MOVQ %s, BX", a.arg("x_len"))
	a.op("MOVL $0xFF800000, AX") // -Inf
	a.op("VMOVD AX, X0")
	a.op("VBROADCASTSS X0, Y0")
	a.op("JMP  check")
	a.label("loop")
	a.op("VMOVUPS (SI), Y1")
	a.op("VMAXPS Y0, Y1, Y0") // a NaN in Y1 gives Y0
	a.op("ADDQ $32, SI")
	a.op("SUBQ $8, BX")
	a.label("check")
	a.op("TESTQ BX, BX")
	a.op("JNZ  loop")
	a.op("VEXTRACTF128 $1, Y0, X1")
	a.op("VMAXPS X1, X0, X0")
	a.op("VPERMILPS $0x4E, X0, X1")
	a.op("VMAXPS X1, X0, X0")
	a.op("VPERMILPS $0xB1, X0, X1")
	a.op("VMAXPS X1, X0, X0")
	a.op("VMOVSS X0, %s", a.arg("ret"))
	a.ret()
}

func clampRow(a *asm) {
	a.text("clampF32AVX2", join(slices("dst", "x"), words("lo", "hi")))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("x"))
	a.op("VBROADCASTSS %s, Y1", a.arg("lo"))
	a.op("VBROADCASTSS %s, Y2", a.arg("hi"))
	vectorLoop(a, 4, func() {
		a.op("VMOVUPS (SI)(CX*1), Y0")
		a.op("VMAXPS Y0, Y1, Y0")
		a.op("VMINPS Y0, Y2, Y0")
		a.op("VMOVUPS Y0, (DI)(CX*1)")
	})
}

func axpy(a *asm) {
	a.text("axpyF32AVX2", join(slices("dst", "x"), words("alpha")))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("x"))
	a.op("VBROADCASTSS %s, Y1", a.arg("alpha"))
	vectorLoop(a, 4, func() {
		a.op("VMULPS (SI)(CX*1), Y1, Y0")
		a.op("VADDPS (DI)(CX*1), Y0, Y0")
		a.op("VMOVUPS Y0, (DI)(CX*1)")
	})
}

func adam(a *asm) {
	a.text("adamF32AVX2", join(slices("dst", "m", "v", "g"), words("alpha", "c1", "c2", "eps")))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, R8", a.arg("m"))
	a.op("MOVQ %s, R9", a.arg("v"))
	a.op("MOVQ %s, SI", a.arg("g"))
	a.op("VBROADCASTSS %s, Y4", a.arg("alpha"))
	a.op("VBROADCASTSS %s, Y5", a.arg("c1"))
	a.op("VBROADCASTSS %s, Y6", a.arg("c2"))
	a.op("VBROADCASTSS %s, Y7", a.arg("eps"))
	vectorLoop(a, 4, func() {
		a.op("VMOVUPS (SI)(CX*1), Y0")
		a.op("VMOVUPS (R8)(CX*1), Y1")
		a.op("VSUBPS Y1, Y0, Y2") // g - m
		a.op("VMULPS Y5, Y2, Y2")
		a.op("VADDPS Y2, Y1, Y1")
		a.op("VMOVUPS Y1, (R8)(CX*1)")
		a.op("VMOVUPS (R9)(CX*1), Y2")
		a.op("VMULPS Y0, Y0, Y0")
		a.op("VSUBPS Y2, Y0, Y0") // g*g - v
		a.op("VMULPS Y6, Y0, Y0")
		a.op("VADDPS Y0, Y2, Y2")
		a.op("VMOVUPS Y2, (R9)(CX*1)")
		a.op("VSQRTPS Y2, Y2")
		a.op("VADDPS Y7, Y2, Y2")
		a.op("VMULPS Y4, Y1, Y1")
		a.op("VDIVPS Y2, Y1, Y1") // alpha*m / (sqrt(v)+eps)
		a.op("VMOVUPS (DI)(CX*1), Y0")
		a.op("VSUBPS Y1, Y0, Y0")
		a.op("VMOVUPS Y0, (DI)(CX*1)")
	})
}

func flip(a *asm) {
	a.text("flipI8AVX2", slices("dst", "x"))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("x"))
	a.op("MOVL $0x80808080, AX")
	a.op("VMOVD AX, X1")
	a.op("VPBROADCASTD X1, Y1")
	vectorLoop(a, 1, func() {
		a.op("VPXOR (SI)(CX*1), Y1, Y0")
		a.op("VMOVDQU Y0, (DI)(CX*1)")
	})
}

func widen(a *asm) {
	a.text("widenU8AVX2", slices("dst", "x"))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, SI", a.arg("x"))
	a.op("MOVQ %s, BX", a.arg("dst_len"))
	a.op("XORL CX, CX")
	a.op("JMP  check")
	a.label("loop")
	a.op("VPMOVZXBW (SI)(CX*1), Y0")
	a.op("VMOVDQU Y0, (DI)(CX*2)")
	a.op("ADDQ $16, CX")
	a.label("check")
	a.op("CMPQ CX, BX")
	a.op("JLT  loop")
	a.ret()
}

// transpose prints dst[s*ldd+r] = x[r*ldx+s] for r < 8, s < k, k a multiple of 8.
func transpose(a *asm) {
	a.text("transpose8F32AVX2", join(slices("dst"), ints("ldd"), slices("x"), ints("ldx", "k")))
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, R9", a.arg("ldd"))
	a.op("SHLQ $2, R9")
	a.op("MOVQ %s, SI", a.arg("x"))
	a.op("MOVQ %s, R8", a.arg("ldx"))
	a.op("SHLQ $2, R8")
	a.op("MOVQ %s, R10", a.arg("k"))
	a.op("LEAQ (R8)(R8*2), R11") // three rows of x
	a.op("LEAQ (SI)(R8*4), DX")  // row 4
	a.op("LEAQ (R9)(R9*2), R12") // three rows of dst
	rows := []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R11*1)"}
	high := []string{"(DX)", "(DX)(R8*1)", "(DX)(R8*2)", "(DX)(R11*1)"}
	out := []string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R12*1)"}
	a.label("loop")
	// Y0..Y3: rows r and r+4 side by side, columns 0-3; Y4..Y7: columns 4-7.
	for i := range 4 {
		a.op("VMOVUPS %s, X%d", rows[i], i)
		a.op("VINSERTF128 $1, %[1]s, Y%[2]d, Y%[2]d", high[i], i)
	}
	for i := range 4 {
		a.op("VMOVUPS 16%s, X%d", rows[i], 4+i)
		a.op("VINSERTF128 $1, 16%[1]s, Y%[2]d, Y%[2]d", high[i], 4+i)
	}
	for h := 0; h < 8; h += 4 {
		a.op("VUNPCKLPS Y%d, Y%d, Y8", h+1, h)
		a.op("VUNPCKHPS Y%d, Y%d, Y9", h+1, h)
		a.op("VUNPCKLPS Y%d, Y%d, Y10", h+3, h+2)
		a.op("VUNPCKHPS Y%d, Y%d, Y11", h+3, h+2)
		a.op("VUNPCKLPD Y10, Y8, Y12")
		a.op("VUNPCKHPD Y10, Y8, Y13")
		a.op("VUNPCKLPD Y11, Y9, Y14")
		a.op("VUNPCKHPD Y11, Y9, Y15")
		for i := range 4 {
			a.op("VMOVUPS Y%d, %s", 12+i, out[i])
		}
		a.op("LEAQ (DI)(R9*4), DI")
	}
	a.op("ADDQ $32, SI")
	a.op("ADDQ $32, DX")
	a.op("SUBQ $8, R10")
	a.op("JNZ  loop")
	a.ret()
}
