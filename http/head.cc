#include "http/head.h"

#include <algorithm>
#include <charconv>

namespace millrace::http {
namespace {

constexpr std::size_t fields_max = 100, method_bytes_max = 32;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Fault bad(std::string message) { return {400, std::move(message)}; }

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [marks](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// /path?query, the same after http://host, or *.
std::optional<std::string> path_of(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!same_word(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const auto end = std::min(target.find_first_of("/?"), target.size());
    if (end == 0) return std::nullopt;
    target.remove_prefix(end);
    if (target.empty() || target.front() == '?') target = "/";
    break;
  }
  if (target != "*" && !target.starts_with('/')) return std::nullopt;
  return percent_decoded(target.substr(0, target.find('?')));
}

std::optional<Fault> read_request_line(std::string_view line, Request* request) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return bad("malformed request line: expected METHOD TARGET HTTP/1.1 with single spaces");
  }
  const auto method = line.substr(0, first), version = line.substr(last + 1);
  const auto target = line.substr(first + 1, last - first - 1);
  if (!is_token(method) || method.size() > method_bytes_max) return bad("the method is malformed");
  const bool http = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                    hex_value(version[5]) >= 0 && hex_value(version[7]) >= 0;
  if (!http) return bad("malformed request line: it must end with HTTP/1.1");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Fault{505, "unsupported HTTP version: use HTTP/1.1 or HTTP/1.0"};
  }
  const bool visible = std::all_of(target.begin(), target.end(),
                                   [](char c) { return c > ' ' && c <= '~' && c != '#'; });
  const auto path = visible ? path_of(target) : std::nullopt;
  if (!path) return bad("the target of the request is malformed");
  request->method = method;
  request->path = *path;
  request->old = version == "HTTP/1.0";
  return std::nullopt;
}

bool is_host(std::string_view text) {
  constexpr std::string_view marks = "-._~!$&'()*+,;=:[]%";
  return std::all_of(text.begin(), text.end(), [marks](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

std::vector<std::string_view> values_of(const HeaderFields& fields, std::string_view name) {
  std::vector<std::string_view> values;
  for (const auto& [field, value] : fields) {
    if (same_word(field, name)) values.emplace_back(value);
  }
  return values;
}

std::string joined(const std::vector<std::string_view>& values) {
  std::string all;
  for (const auto value : values) all.append(all.empty() ? "" : ", ").append(value);
  return all;
}

bool has_word(const HeaderFields& fields, std::string_view name, std::string_view word) {
  for (std::string_view rest : values_of(fields, name)) {
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      std::string_view item = rest.substr(0, comma);
      while (item.starts_with(' ') || item.starts_with('\t')) item.remove_prefix(1);
      while (item.ends_with(' ') || item.ends_with('\t')) item.remove_suffix(1);
      if (same_word(item, word)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

std::optional<Fault> read_what_is_used(const HeaderFields& fields, Request* request) {
  const auto hosts = values_of(fields, "Host");
  if (hosts.size() > 1) return bad("the request has two Host headers");
  if (hosts.empty() && !request->old) return bad("the Host header is missing");
  if (!hosts.empty() && !is_host(hosts.front())) return bad("the Host header is malformed");
  const auto types = values_of(fields, "Content-Type");
  if (types.size() > 1) return bad("the request has two Content-Type headers");
  if (!types.empty()) request->content_type = types.front();
  const auto authorizations = values_of(fields, "Authorization");
  if (authorizations.size() > 1) return bad("the request has two Authorization headers");
  if (!authorizations.empty()) request->authorization = authorizations.front();
  request->content_encoding = joined(values_of(fields, "Content-Encoding"));
  request->forwarded_for = joined(values_of(fields, "X-Forwarded-For"));
  request->forwarded_proto = joined(values_of(fields, "X-Forwarded-Proto"));
  request->keep_alive = request->old ? has_word(fields, "Connection", "keep-alive")
                                     : !has_word(fields, "Connection", "close");
  return std::nullopt;
}

}  // namespace

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<Fault> read_field(std::string_view line, HeaderFields* fields) {
  if (line.starts_with(' ') || line.starts_with('\t')) {
    return bad("folded header lines are not supported");
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return bad("malformed header: expected 'Name: value' without a space before the colon");
  }
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  const bool clean = std::all_of(value.begin(), value.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
  });
  if (!clean) return bad("a header has a control character in its value");
  if (fields->size() == fields_max) return Fault{431, "the request has more than 100 headers"};
  fields->emplace_back(line.substr(0, colon), value);
  return std::nullopt;
}

std::optional<Fault> read_head(std::string_view text, Head* head) {
  bool first = true;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    const auto line = text.substr(0, end);
    if (line.find('\r') != std::string_view::npos) return bad("a line must end with CR LF");
    auto fault = first ? read_request_line(line, &head->request) : read_field(line, &head->fields);
    if (fault) return fault;
    first = false;
    text.remove_prefix(end + 2);
  }
  return read_what_is_used(head->fields, &head->request);
}

std::optional<Fault> read_framing(const HeaderFields& fields, bool old, Framing* framing) {
  const auto lengths = values_of(fields, "Content-Length");
  const auto codings = values_of(fields, "Transfer-Encoding");
  if (lengths.size() > 1) return bad("the request has two Content-Length headers");
  if (!lengths.empty() && !codings.empty()) {
    return bad("the request has both Content-Length and Transfer-Encoding");
  }
  if (codings.size() > 1 || (!codings.empty() && !same_word(codings.front(), "chunked"))) {
    return bad("unsupported Transfer-Encoding: only chunked is supported");
  }
  if (!codings.empty() && old) return bad("Transfer-Encoding is not allowed in HTTP/1.0");
  framing->chunked = !codings.empty();
  if (!lengths.empty()) {
    const std::string_view digits = lengths.front();
    const auto [end, wrong] =
        std::from_chars(digits.data(), digits.data() + digits.size(), framing->length);
    const bool whole = end == digits.data() + digits.size();
    if (wrong == std::errc::result_out_of_range && whole)
      framing->length = UINT64_MAX;
    else if (wrong != std::errc{} || !whole)
      return bad("Content-Length must be a number of bytes");
  }
  const auto expected = values_of(fields, "Expect");
  if (old || expected.empty()) return std::nullopt;
  if (expected.size() > 1 || !same_word(expected.front(), "100-continue")) {
    return Fault{417, "unsupported Expect header: only 100-continue is supported"};
  }
  framing->go_ahead = framing->chunked || framing->length > 0;
  return std::nullopt;
}

}  // namespace millrace::http
