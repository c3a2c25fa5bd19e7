package nginxconf_test

import (
	"os"

	"github.com/hadjango/hadjango/nginxconf"
)

func ExampleRenderUpstream() {
	err := nginxconf.RenderUpstream(os.Stdout, nginxconf.Upstream{Pointer: "stage", Server: "127.0.0.1:2011"}, nil)
	if err != nil {
		panic(err)
	}
	// Output:
	// # Made by hadjango for the reload switch: nginx reads the file of the build
	// # that the pointer names.
	// upstream stage {
	//     server 127.0.0.1:2011 max_fails=0;
	//     server 127.0.0.1:2011 max_fails=0;
	// }
}
