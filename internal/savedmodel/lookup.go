package savedmodel

import "slices"

// VariablesOf returns the variables that the object at path holds directly, in
// the order of its edges: a module's "variables" and "trainable_variables" are
// such lists. It returns nil if there is no such object.
func (m *Model) VariablesOf(path string) []*Variable {
	o, err := m.objectAt(path)
	if err != nil {
		return nil
	}
	var all []*Variable
	for _, c := range o.saved.GetChildren() {
		if v := m.objects[c.GetNodeId()].variable; v != nil && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}
