package engine_test
import ("testing";"context";"github.com/litequant/litequant/engine")
func TestZZ(t *testing.T){
 m:=parsed(t, `subgraph "main" inputs=%0,%1 outputs=%3
		%0 bool[] "c"
		%1 int8[8] "x"
		%2 float32[8] "y"
		%3 float32[8] "z"
		IF(%0 %1) -> %2 then_subgraph_index=1 else_subgraph_index=1
		ADD(%2 %2) -> %3
	subgraph "b" inputs=%0 outputs=%0
		%0 int8[8] "n"`)
 for _,k:=range kinds {
 p,err:=engine.Compile(m, engine.Options{Kind:k, Panics: true})
 if err!=nil {t.Fatal(err)}
 r,err:=p.NewRunner("")
 if err!=nil {t.Fatal(err)}
 err=r.Invoke(context.Background())
 t.Log(err)
 t.Log(r.OutputAt(0))
 }
}
