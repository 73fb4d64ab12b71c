package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	for n := 0; n < 5; n++ {
		var body io.Reader = strings.NewReader(fmt.Sprintf(`{"n": %d}`, n))
		if n > 2 {
			body = io.MultiReader(body) // of a length that nobody knows: chunked
		}
		answer, err := http.Post(os.Args[1], "application/json", body)
		if err != nil {
			panic(err)
		}
		data, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Println(answer.StatusCode, string(data))
	}
}
