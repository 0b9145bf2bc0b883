package litequant
import (
_ "github.com/google/flatbuffers/go"
_ "google.golang.org/protobuf/proto"
_ "github.com/golang/leveldb/table"
_ "github.com/spf13/cobra"
_ "github.com/vbauerster/mpb/v8"
_ "github.com/jedib0t/go-pretty/v6/table"
_ "github.com/sbinet/npyio"
_ "golang.org/x/sys/cpu"
_ "github.com/google/go-cmp/cmp"
_ "pgregory.net/rapid"
_ "github.com/rogpeppe/go-internal/testscript"
)
