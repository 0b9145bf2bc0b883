package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tidy returns flatc's Go code with these differences:
//
//   - UnPack leaves an absent vector nil, where flatc makes it empty, so that
//     unpacking and packing keep the difference;
//   - unpacked byte vectors are views whose capacity ends with them, so that
//     append cannot write into the file;
//   - Pack writes byte vectors as vectors, where flatc writes strings, and
//     obeys force_align, which flatc's Go generator ignores;
//   - functions that would change a file in place, size-prefixed files, and
//     roots other than the schema's are gone.
func tidy(src []byte, s *schema) ([]byte, error) {
	src = keepAbsent(src)
	src = unpackBytes.ReplaceAll(src, []byte("t.$1 = slices.Clip(rcv.${2}Bytes())"))
	src, err := packBytes(src, s)
	if err != nil {
		return nil, err
	}
	return prune(src, s.root)
}

var (
	vectorLength = regexp.MustCompile(`func \(rcv \*(\w+)\) (\w+)Length\(\) int \{\n\to := flatbuffers\.UOffsetT\(rcv\._tab\.Offset\((\d+)\)\)`)
	unpackFunc   = regexp.MustCompile(`(?s)func \(rcv \*(\w+)\) UnPackTo\(.*?\n}\n`)
	unpackVector = regexp.MustCompile(`\tt\.(\w+) = make\(.*\)\n`)
	unpackBytes  = regexp.MustCompile(`t\.(\w+) = rcv\.(\w+)Bytes\(\)`)
	packFunc     = regexp.MustCompile(`(?s)func \(t \*(\w+)T\) Pack\(.*?\n}\n`)
	packString   = regexp.MustCompile(`builder\.CreateByteString\(t\.(\w+)\)`)
)

// keepAbsent guards every make in UnPackTo by the vector's presence.
func keepAbsent(src []byte) []byte {
	slot := map[string]string{}
	for _, m := range vectorLength.FindAllSubmatch(src, -1) {
		slot[string(m[1])+"."+string(m[2])] = string(m[3])
	}
	return unpackFunc.ReplaceAllFunc(src, func(f []byte) []byte {
		name := string(unpackFunc.FindSubmatch(f)[1])
		return unpackVector.ReplaceAllFunc(f, func(line []byte) []byte {
			n := slot[name+"."+string(unpackVector.FindSubmatch(line)[1])]
			return fmt.Appendf(nil, "\tif rcv._tab.Offset(%s) != 0 {\n\t%s\t}\n", n, line)
		})
	})
}

// packBytes replaces CreateByteString by the vector that the schema asks for.
func packBytes(src []byte, s *schema) ([]byte, error) {
	align := map[string]int{}
	for _, t := range s.tables {
		for _, f := range t.fields {
			if f.align != 0 {
				align[t.name+"."+goName(f.name)] = f.align
			}
		}
	}
	var err error
	src = packFunc.ReplaceAllFunc(src, func(f []byte) []byte {
		name := string(packFunc.FindSubmatch(f)[1])
		return packString.ReplaceAllFunc(f, func(call []byte) []byte {
			fieldName := string(packString.FindSubmatch(call)[1])
			n := max(align[name+"."+fieldName], 1)
			delete(align, name+"."+fieldName)
			return fmt.Appendf(nil, "createBytes(builder, t.%s, %d)", fieldName, n)
		})
	})
	for name, n := range align {
		if n > 4 { // up to 4 the length before the elements aligns them
			err = fmt.Errorf("%s: force_align %d is only handled for bytes", name, n)
		}
	}
	return src, err
}

// goName is flatc's name of a field in Go: new_shape is NewShape.
func goName(name string) string {
	var b strings.Builder
	for _, part := range strings.Split(name, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

var unwanted = regexp.MustCompile(`^(Mutate|GetSizePrefixedRootAs|FinishSizePrefixed|(GetRootAs|Finish)(\w+?)(Buffer)?$)`)

// prune cuts the functions that nothing should call.
func prune(src []byte, root string) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var cuts [][2]int
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !unwanted.MatchString(f.Name.Name) {
			continue
		}
		if n := f.Name.Name; n == "GetRootAs"+root || n == "Finish"+root+"Buffer" {
			continue
		}
		cuts = append(cuts, [2]int{fset.Position(f.Pos()).Offset, fset.Position(f.End()).Offset})
	}
	for _, c := range slices.Backward(cuts) {
		src = slices.Delete(src, c[0], c[1])
	}
	if bytes.Contains(src, []byte("slices.Clip(")) {
		src = bytes.Replace(src, []byte(`"strconv"`), []byte("\"slices\"\n\t"+strconv.Quote("strconv")), 1)
	}
	return src, nil
}
