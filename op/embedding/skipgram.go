package embedding

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// SkipGram is SKIP_GRAM: the n-grams [?] of the words of a text, with up to
// max_skip_size words left out between neighbours. The text is the first string of
// the input.
var SkipGram = &op.Def{
	Code:     graph.OpCode(schema.SKIP_GRAM),
	Name:     "SKIP_GRAM",
	Operands: op.In("input", op.Str).Out("output", op.Str),
	Facts:    func(*op.Call) error { return op.ErrLater },
	Since:    []string{"1.5.0"},
	Quant:    op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		o := *graph.Options[fb.SkipGramOptionsT](c.Node)
		return op.Kernel{Run: func(r *op.Run) error { return skipGram(r, &o) }}, nil
	},
}

// maxGrams bounds the result, in bytes.
const maxGrams = 1 << 28

func skipGram(r *op.Run, o *fb.SkipGramOptionsT) error {
	texts, err := r.In[0].Strings()
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return fmt.Errorf("input without a string: %w", tensor.ErrShape)
	}
	words := split(texts[0])
	var out [][]byte
	if n := int(o.NgramSize); n >= 0 && len(words) >= n {
		if out, err = grams(r, o, words); err != nil {
			return err
		}
	}
	r.Out[0], err = tensor.OfStrings(tensor.Shape{len(out)}, out...)
	return err
}

// split cuts a text at white space as LiteRT does: white space at the start and
// doubled white space spoil the word behind it, which stays joined to it at the end
// of the text and is lost elsewhere.
func split(text []byte) [][]byte {
	var words [][]byte
	from := 0
	for i := 1; i < len(text); i++ {
		if !space(text[i]) {
			continue
		}
		if i > from && !space(text[from]) {
			words = append(words, text[from:i])
		}
		from = i + 1
	}
	if len(text) > from {
		words = append(words, text[from:])
	}
	return words
}

// space is C's isspace.
func space(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// grams enumerates the n-grams depth first: stack holds the positions of the words
// of the n-gram that is being built.
func grams(r *op.Run, o *fb.SkipGramOptionsT, words [][]byte) ([][]byte, error) {
	var out [][]byte
	size := int(o.NgramSize)
	stack := make([]int, max(size, 1))
	total := 0
	for depth := min(1, size); depth >= 0; {
		if deeper(o, stack, depth, len(words)) {
			stack[depth]++
			if depth++; depth < size {
				stack[depth] = stack[depth-1]
			}
			continue
		}
		if depth == size && size > 0 || o.IncludeAllNgrams && depth > 0 {
			gram := join(words, stack[:depth])
			switch total += len(gram) + 4; {
			case total > maxGrams:
				return nil, fmt.Errorf("n-grams of more than %d bytes: %w", maxGrams, tensor.ErrLimit)
			case r.Stop():
				return nil, op.ErrStopped
			}
			out = append(out, gram)
		}
		depth--
	}
	return out, nil
}

// deeper reports whether another word follows at the given depth, within the skips
// that are allowed.
func deeper(o *fb.SkipGramOptionsT, stack []int, depth, words int) bool {
	if depth >= int(o.NgramSize) || stack[depth]+1 >= words {
		return false
	}
	return depth == 0 || stack[depth]-stack[depth-1] <= int(o.MaxSkipSize)
}

func join(words [][]byte, at []int) []byte {
	var gram []byte
	for i, k := range at {
		if i > 0 {
			gram = append(gram, ' ')
		}
		gram = append(gram, words[k]...)
	}
	return gram
}
