package lower

import (
	"strconv"
	"strings"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/op"
)

// anonymous is what the converter calls a constant that has no origin: one that
// it merged from several or made itself.
const anonymous = "arith.constant"

// name gives every value its name: the ports' for inputs and outputs, else the
// origins joined by ";", with a number appended where a name is taken.
func name(s *graph.Subgraph, src *savedmodel.Graph, signature string) {
	n := namer{}
	named := make([]bool, len(s.Values))
	port := func(v graph.ValueID, name string) {
		if !named[v] {
			named[v] = true
			s.Value(v).Name = n.unique(name)
		}
	}
	inputs, outputs := portNames(src, signature)
	for i, v := range s.Inputs {
		port(v, inputs[i])
	}
	for i, v := range s.Outputs {
		port(v, outputs[i])
	}
	for i := range s.Values {
		if v := &s.Values[i]; !named[i] && v.IsConst() {
			v.Name = n.unique(joined(v.Origins, anonymous))
		}
	}
	for i := range s.Nodes {
		node := &s.Nodes[i]
		for k, v := range node.Outputs {
			s.Value(v).Origins = node.Origins
			if named[v] {
				continue
			}
			base := joined(node.Origins, op.NameOf(node))
			if k > 0 {
				base += ":" + strconv.Itoa(k)
			}
			s.Value(v).Name = n.unique(base)
		}
	}
}

// caller is what TensorFlow 2 names the node that calls a signature's function
// ("PartitionedCall" where it has no variables); its SavedModels have it, the
// converter wraps others in it.
const (
	stateless = "PartitionedCall"
	caller    = "Stateful" + stateless
)

// portNames returns the names of a graph's inputs and outputs: without a
// signature the nodes' own, else those of TensorFlow 2's SavedModels.
func portNames(src *savedmodel.Graph, signature string) (in, out []string) {
	wrapped := signature != ""
	for _, p := range src.Outputs {
		out = append(out, p.Tensor)
		wrapped = wrapped && !strings.Contains(p.Tensor, stateless)
	}
	for _, p := range src.Inputs {
		in = append(in, p.Tensor)
	}
	for i := range in {
		if wrapped {
			in[i] = signature + "_" + src.Inputs[i].Name + ":0"
		} else if signature == "" {
			in[i] = strings.TrimSuffix(in[i], ":0")
		}
	}
	for i := range out {
		if wrapped {
			out[i] = caller + ":" + strconv.Itoa(i)
		} else if signature == "" {
			out[i] = strings.TrimSuffix(out[i], ":0")
		}
	}
	return in, out
}

func joined(origins []string, none string) string {
	for _, o := range origins {
		if o != "" {
			return strings.Join(origins, ";")
		}
	}
	return none
}

// namer counts the names that were given.
type namer map[string]int

func (n namer) unique(base string) string {
	if n[base] == 0 {
		n[base] = 1
		return base
	}
	for {
		s := base + strconv.Itoa(n[base])
		n[base]++
		if n[s] == 0 {
			n[s] = 1
			return s
		}
	}
}
