"""Has the reference take random connection URLs apart and prints what it found as test cases.

    python tests/reference/url_cases.py [SEED] > crates/cell-proto/testdata/url_cases.json

A list of `[url, parts]`; `parts` are the connector parameters without the URL itself, or the text of an error.
"""

import json
import random
import sys

from nvflare.fuel.f3.drivers.net_utils import parse_url

SCHEMES = ["tcp", "stcp", "GRPC", "grpcs", "http", "https", "shared-file", "Ws+x", "9p", "", "t_p"]
HOSTS = ["localhost", "0", "10.0.0.1", "", "server-1.example.org", "Host", "[::1]", "user@h", "u:p@h", "h%41", "sérver", "h h"]
PORTS = [None, "8002", "0", "65535", "65536", "", "abc", "80:81", " 80", "00080", "+80", "8_0"]
PATHS = ["", "/", "/f3", "/a/b/c", "/a;p=1", "/a;x/b;y", ";q", "/%41 b"]
QUERIES = [
    None, "", "a=1", "a=1&a=2", "admin_listener=true", "secure=true&connection_security=tls", "a", "a=", "=1", "a=b=c",
    "a=b+c", "a%20b=%C3%A9", "a=%zz%4", "a=%ff%C3", "&&a=1&", "a=1;b=2", "é=%C3é%A9", "host=x", "url=y", "port=1",
]
FRAGS = [None, "", "f", "f?x#y"]
WHOLE = [
    "", "tcp", "tcp:", "tcp:/h", "tcp:h:1", "//h:1", "h:80", "://h", "tcp:///a", "tcp://", "tcp://?a=1", "tcp://#f",
    " tcp://h:1", "tcp://h:1 ", "\ttcp://h\n:1", "t\tcp://h:1", "\x1ftcp://h:1", "tcp://h:1/a\tb", "tcp://[::1", "tcp://h]:1",
]


def parts(url):
    try:
        found = parse_url(url)
    except ValueError as error:
        return str(error)
    found.pop("url", None)
    return found


def main():
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    urls = list(WHOLE)
    for n in range(600):
        # The plain half shows that what is usual works; in the other half anything may stand anywhere.
        plain = n % 2 == 0
        url = rng.choice(SCHEMES[:7] if plain else SCHEMES) + "://" + rng.choice(HOSTS[:6] if plain else HOSTS)
        port = rng.choice(PORTS[:4] if plain else PORTS)
        query = rng.choice(QUERIES[:-3] if plain else QUERIES)
        frag = rng.choice(FRAGS)
        url += "" if port is None else ":" + port
        url += rng.choice(PATHS)
        url += "" if query is None else "?" + query
        url += "" if frag is None else "#" + frag
        urls.append(url)
    urls = list(dict.fromkeys(urls))
    rows = ",\n".join(json.dumps([url, parts(url)], ensure_ascii=True) for url in urls)
    print(f"[\n{rows}\n]")


main()
