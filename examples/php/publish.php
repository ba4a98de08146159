<?php
// Publishes customers over HTTP, with nothing but PHP's own streams (8.1 or newer).
//
// CUSTSYNC_URL    where publisher serve listens, such as http://127.0.0.1:8090
// CUSTSYNC_TOKEN  the shop's token

declare(strict_types=1);

final class Custsync
{
    public function __construct(private string $url, private string $shop, private string $token)
    {
    }

    /** The whole state. What is left out is left alone, null clears. */
    public function publish(array $customer): string
    {
        return $this->call('POST', '', self::json($customer));
    }

    /** One a line. Returns what was not stored, with the line's number and the reason. */
    public function publishMany(iterable $customers): array
    {
        $lines = '';
        foreach ($customers as $customer) {
            $lines .= self::json($customer) . "\n";
        }
        $answer = $this->call('POST', '', $lines, 'application/x-ndjson');
        $results = array_map(fn ($line) => json_decode($line, true), explode("\n", trim($answer)));
        return array_values(array_filter($results, fn ($result) => $result['status'] !== 202));
    }

    public function delete(string $id, int $version): string
    {
        return $this->call('DELETE', '/' . rawurlencode($id) . '?version=' . $version);
    }

    /**
     * Sends until the event is stored (202), or is refused for good. To send it again
     * is safe: give customers a version, and nothing is done twice.
     */
    private function call(string $method, string $path, string $body = '', string $kind = 'application/json'): string
    {
        $context = stream_context_create(['http' => [
            'method' => $method,
            'header' => ["Authorization: Bearer {$this->token}", "Content-Type: $kind"],
            'content' => $body,
            'timeout' => 30,
            'ignore_errors' => true, // an answer that refuses is an answer, too
        ]]);
        for ($attempt = 0; ; $attempt++) {
            $http_response_header = [];
            $answer = @file_get_contents("{$this->url}/v1/shops/{$this->shop}/customers$path", false, $context);
            $status = $answer === false ? 0 : (int) explode(' ', $http_response_header[0])[1];
            if ($status >= 200 && $status < 300) {
                return $answer;
            }
            if ($attempt === 5 || !in_array($status, [0, 408, 429, 500, 502, 503, 504], true)) {
                throw new RuntimeException("$status: $answer");
            }
            $seconds = 2 ** $attempt;
            foreach ($http_response_header as $header) {
                if (stripos($header, 'Retry-After:') === 0) {
                    $seconds = (int) substr($header, 12);
                }
            }
            sleep($seconds);
        }
    }

    private static function json(array $customer): string
    {
        return json_encode($customer, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
    }
}

$custsync = new Custsync(getenv('CUSTSYNC_URL'), 'acme', getenv('CUSTSYNC_TOKEN'));
echo $custsync->publish(['id' => 'php-1', 'version' => 1, 'email' => 'ada@example.com', 'phone' => null]);
echo 'refused: ', json_encode($custsync->publishMany([
    ['id' => 'php-2', 'version' => 1, 'first_name' => 'Ольга'],
    ['id' => 'php-3', 'version' => 1, 'vip' => true],
])), "\n";
echo $custsync->delete('php-3', 2);
