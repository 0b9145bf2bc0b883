module github.com/litequant/litequant/tools/asmgen

go 1.26.0
