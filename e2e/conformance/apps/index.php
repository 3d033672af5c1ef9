<?php
// An app for PHP. Its files are in the folder of this one, below www.
$files = __DIR__ . "/../www";
$path = parse_url($_SERVER["REQUEST_URI"], PHP_URL_PATH);
$head = $_SERVER["REQUEST_METHOD"] === "HEAD";
switch ($path) {
    case "/page":
        header('ETag: "page"');
        if (str_contains($_SERVER["HTTP_IF_NONE_MATCH"] ?? "", '"page"')) {
            http_response_code(304);
            break;
        }
        header("Content-Type: text/html");
        readfile("$files/page.html");
        break;
    case "/large.bin":
        header("Content-Type: application/octet-stream");
        header("Content-Length: " . filesize("$files/large.bin"));
        if (!$head) readfile("$files/large.bin");
        break;
    case "/chunked":
        header("Content-Type: text/plain");
        for ($i = 0; $i < 1000; $i++) echo "line $i\n";
        break;
    case "/echo":
        header("Content-Type: text/plain");
        echo $_GET["n"];
        break;
    case "/redirect":
        header("Location: /page", true, 302);
        break;
    case "/upload":
        header("Content-Type: text/plain");
        $hash = hash_init("sha256");
        $size = hash_update_stream($hash, fopen("php://input", "rb"));
        echo hash_final($hash), " ", $size;
        break;
    default:
        http_response_code(404);
}
