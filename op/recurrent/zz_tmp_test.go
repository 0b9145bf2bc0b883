package recurrent_test
import ("testing";"os";"bytes";"context";"fmt";"github.com/litequant/litequant/tflite";"github.com/litequant/litequant/quantize";"github.com/litequant/litequant/graph";"github.com/litequant/litequant/op")
func TestTmp(t *testing.T){
 for _,n:=range []string{"0","1"}{
  b,_:=os.ReadFile("/tmp/keras/float"+n+".tflite"); m,_:=tflite.Decode(b,tflite.DecodeOptions{})
  w,_:=os.ReadFile("/tmp/keras/dynamic"+n+".tflite"); want,_:=tflite.Decode(w,tflite.DecodeOptions{})
  q,_,err:=quantize.WithStats(context.Background(),m,quantize.Recipe{Scheme:quantize.Dynamic},nil); if err!=nil{t.Error(err);continue}
  g,h:=q.Main(),want.Main(); bad:=0
  for i:=range g.Nodes { a,b:=&g.Nodes[i],&h.Nodes[i]; s:=fmt.Sprintf("%s/%s opts %v",op.NameOf(a),op.NameOf(b),fmt.Sprintf("%+v",a.Options)==fmt.Sprintf("%+v",b.Options))
   for k:=range a.Inputs { if a.Inputs[k]==graph.None{continue}; x,y:=&g.Values[a.Inputs[k]],&h.Values[b.Inputs[k]]; if x.DType!=y.DType||!bytes.Equal(x.Const,y.Const)||fmt.Sprint(x.Quant)!=fmt.Sprint(y.Quant){bad++; s+=fmt.Sprint(" diff@",k,x.DType,y.DType,x.Quant,y.Quant)}}
   t.Log(s) }
  _,rep,err:=quantize.WithStats(context.Background(),m,quantize.Recipe{Scheme:quantize.Int8},nil); t.Log(err); _=rep
  o,err:=tflite.Encode(q,tflite.EncodeOptions{}); t.Log(len(o),err,bad); os.WriteFile("/tmp/keras/ours"+n+".tflite",o,0o644)
 }
}
