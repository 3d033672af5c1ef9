<?php // Records every request that a server hands over by FastCGI. The kit puts in the file's name.
$vars = [];
foreach ($_SERVER as $name => $value) {
    if (preg_match('/^(HTTP_|CONTENT_)/', $name)) {
        $vars[] = [$name, $value];
    }
}
$line = json_encode([
    'method' => $_SERVER['REQUEST_METHOD'], 'target' => $_SERVER['REQUEST_URI'], 'vars' => $vars, 'body' => file_get_contents('php://input'),
], JSON_INVALID_UTF8_SUBSTITUTE);
file_put_contents('@RECORD@', $line . "\n", FILE_APPEND | LOCK_EX);
header('Content-Type: text/plain');
echo 'ok';
