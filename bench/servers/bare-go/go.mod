module hitless.io/bench/bare-go

go 1.26
