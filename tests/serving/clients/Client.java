import java.net.*;
import java.net.http.*;
import java.io.*;

/** Default settings: HttpClient offers h2c with its first request. */
public class Client {
    public static void main(String[] args) throws Exception {
        URI uri = URI.create(args[0]);
        HttpClient client = HttpClient.newHttpClient();
        for (int n = 0; n < 3; n++) {
            HttpRequest request = HttpRequest.newBuilder(uri).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"n\": " + n + "}")).build();
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body());
        }
        HttpRequest chunked = HttpRequest.newBuilder(uri).expectContinue(true)
            .POST(HttpRequest.BodyPublishers.ofInputStream(
                () -> new ByteArrayInputStream("{\"n\": 3}".getBytes()))).build();
        HttpResponse<String> answer = client.send(chunked, HttpResponse.BodyHandlers.ofString());
        System.out.println(answer.statusCode() + " " + answer.body());
        HttpURLConnection old = (HttpURLConnection) uri.toURL().openConnection();
        old.setRequestMethod("POST");
        old.setDoOutput(true);
        old.getOutputStream().write("{\"n\": 4}".getBytes());
        BufferedReader reader = new BufferedReader(new InputStreamReader(old.getInputStream()));
        System.out.println(old.getResponseCode() + " " + reader.readLine());
    }
}
