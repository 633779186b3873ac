// Viewer request of /api/*: the HTTP API knows its routes without the prefix.
function handler(event) {
    var request = event.request;
    request.uri = request.uri.replace(/^\/api(?=\/|$)/, '') || '/';
    return request;
}
