package main

// requantKernels print the reference kernels' requantization of int32 sums,
// column by column vector, rows inside:
//
//	x   = acc << left
//	x   = (x*mult + 2^30) >> 31             SaturatingRoundingDoublingHighMul
//	x   = sign(x) * ((|x| + half) >>> right)   RoundingDivideByPOT, ties away from zero
//	dst = byte(clamp(x + zp, lo, hi))
//
// |x|+half is below 2^32, so the unsigned shift is exact, and right = 0 needs
// no case of its own (half = 0).
func requantKernels(a *asm) {
	requantAVX2(a)
	requantAVX512(a)
}

func requantParams() []param {
	return join(slices("dst"), ints("ldd"), slices("acc"), ints("lda"),
		slices("mult", "left", "right"), ints("rows", "cols"), words("zp", "lo", "hi"))
}

// requantHead loads the loop registers: SI acc, DI dst, R8 and R9 the strides
// in bytes, BX byte offset of the column in int32 arrays, R11 columns left.
func requantHead(a *asm, name string) {
	a.text(name, requantParams())
	a.op("MOVQ %s, DI", a.arg("dst"))
	a.op("MOVQ %s, R9", a.arg("ldd"))
	a.op("MOVQ %s, SI", a.arg("acc"))
	a.op("MOVQ %s, R8", a.arg("lda"))
	a.op("SHLQ $2, R8")
	a.op("MOVQ %s, R12", a.arg("mult"))
	a.op("MOVQ %s, R13", a.arg("left"))
	a.op("MOVQ %s, R14", a.arg("right"))
	a.op("MOVQ %s, R11", a.arg("cols"))
}

func requantAVX512(a *asm) {
	requantHead(a, "requantAVX512")
	a.op("MOVL $0x40000000, AX")
	a.op("VPBROADCASTQ AX, Z26")
	a.op("VBROADCASTSS %s, Z27", a.arg("zp"))
	a.op("VBROADCASTSS %s, Z28", a.arg("lo"))
	a.op("VBROADCASTSS %s, Z29", a.arg("hi"))
	a.op("MOVL $1, AX")
	a.op("VPBROADCASTD AX, Z30")
	a.op("VPXORD Z31, Z31, Z31")
	a.op("MOVL $0xAAAA, AX")
	a.op("KMOVW AX, K1")
	a.label("cols")
	a.op("VMOVDQU32 (R12), Z0")
	a.op("VPSRLQ $32, Z0, Z1")
	a.op("VMOVDQU32 (R13), Z2")
	a.op("VMOVDQU32 (R14), Z3")
	a.op("VPSLLVD Z3, Z30, Z4")
	a.op("VPSRLD $1, Z4, Z4")
	a.op("MOVQ SI, BX")
	a.op("MOVQ DI, DX")
	a.op("MOVQ %s, R10", a.arg("rows"))
	a.label("rows")
	a.op("VMOVDQU32 (BX), Z5")
	a.op("VPSLLVD Z2, Z5, Z5")
	a.op("VPSRLQ $32, Z5, Z6")
	a.op("VPMULDQ Z0, Z5, Z5")
	a.op("VPMULDQ Z1, Z6, Z6")
	a.op("VPADDQ Z26, Z5, Z5")
	a.op("VPADDQ Z26, Z6, Z6")
	a.op("VPSRLQ $31, Z5, Z5")
	a.op("VPSLLQ $1, Z6, Z6")
	a.op("VMOVDQA32 Z6, K1, Z5")
	a.op("VPABSD Z5, Z6")
	a.op("VPADDD Z4, Z6, Z6")
	a.op("VPSRLVD Z3, Z6, Z6")
	a.op("VPMOVD2M Z5, K2")
	a.op("VPSUBD Z6, Z31, K2, Z6")
	a.op("VPADDD Z27, Z6, Z6")
	a.op("VPMAXSD Z28, Z6, Z6")
	a.op("VPMINSD Z29, Z6, Z6")
	a.op("VPMOVDB Z6, X6")
	a.op("VMOVDQU X6, (DX)")
	a.op("ADDQ R8, BX")
	a.op("ADDQ R9, DX")
	a.op("DECQ R10")
	a.op("JNZ  rows")
	a.op("ADDQ $64, R12")
	a.op("ADDQ $64, R13")
	a.op("ADDQ $64, R14")
	a.op("ADDQ $64, SI")
	a.op("ADDQ $16, DI")
	a.op("SUBQ $16, R11")
	a.op("JNZ  cols")
	a.ret()
}

func requantAVX2(a *asm) {
	requantHead(a, "requantAVX2")
	constant := func(v uint32, r int) {
		a.op("MOVL $%#x, AX", v)
		a.op("VMOVD AX, X%d", r)
	}
	constant(1, 8)
	a.op("VPBROADCASTD X8, Y8")
	constant(0x40000000, 9)
	a.op("VPBROADCASTQ X9, Y9")
	constant(0x0C080400, 10) // the low byte of each int32
	a.op("VPBROADCASTD X10, Y10")
	a.op("VBROADCASTSS %s, Y11", a.arg("zp"))
	a.op("VBROADCASTSS %s, Y12", a.arg("lo"))
	a.op("VBROADCASTSS %s, Y13", a.arg("hi"))
	a.label("cols")
	a.op("VMOVDQU (R12), Y0")
	a.op("VPSRLQ $32, Y0, Y1")
	a.op("VMOVDQU (R13), Y2")
	a.op("VMOVDQU (R14), Y3")
	a.op("VPSLLVD Y3, Y8, Y4")
	a.op("VPSRLD $1, Y4, Y4")
	a.op("MOVQ SI, BX")
	a.op("MOVQ DI, DX")
	a.op("MOVQ %s, R10", a.arg("rows"))
	a.label("rows")
	a.op("VMOVDQU (BX), Y5")
	a.op("VPSLLVD Y2, Y5, Y5")
	a.op("VPSRLQ $32, Y5, Y6")
	a.op("VPMULDQ Y0, Y5, Y5")
	a.op("VPMULDQ Y1, Y6, Y6")
	a.op("VPADDQ Y9, Y5, Y5")
	a.op("VPADDQ Y9, Y6, Y6")
	a.op("VPSRLQ $31, Y5, Y5")
	a.op("VPSLLQ $1, Y6, Y6")
	a.op("VPBLENDD $0xAA, Y6, Y5, Y5")
	a.op("VPABSD Y5, Y6")
	a.op("VPADDD Y4, Y6, Y6")
	a.op("VPSRLVD Y3, Y6, Y6")
	a.op("VPSIGND Y5, Y6, Y6")
	a.op("VPADDD Y11, Y6, Y6")
	a.op("VPMAXSD Y12, Y6, Y6")
	a.op("VPMINSD Y13, Y6, Y6")
	a.op("VPSHUFB Y10, Y6, Y6")
	a.op("VEXTRACTI128 $1, Y6, X7")
	a.op("VPUNPCKLDQ X7, X6, X6")
	a.op("VMOVQ X6, (DX)")
	a.op("ADDQ R8, BX")
	a.op("ADDQ R9, DX")
	a.op("DECQ R10")
	a.op("JNZ  rows")
	a.op("ADDQ $32, R12")
	a.op("ADDQ $32, R13")
	a.op("ADDQ $32, R14")
	a.op("ADDQ $32, SI")
	a.op("ADDQ $8, DI")
	a.op("SUBQ $8, R11")
	a.op("JNZ  cols")
	a.ret()
}
