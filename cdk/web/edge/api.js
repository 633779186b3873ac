// Viewer request of /api/*: the HTTP API's routes do not have the prefix.
function handler(event) {
    var request = event.request;
    request.uri = request.uri.replace(/^\/api(?=\/|$)/, '') || '/';
    return request;
}
