#include "media_types.h"

#include "http/server.h"

#include <algorithm>

namespace millrace::gateway {
namespace {

using http::same_word;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The next parameter, name=value or name="value", taken from the front; well: it was one.
struct Parameter {
  std::string_view name;
  std::string value;
  bool well = false;
};
Parameter take_parameter(std::string_view* rest) {
  Parameter out;
  const auto equals = rest->find('=');
  if (equals == std::string_view::npos) return out;
  out.name = trimmed(rest->substr(0, equals));
  rest->remove_prefix(equals + 1);
  if (!rest->starts_with('"')) {
    const auto end = std::min(rest->find(';'), rest->size());
    out.value = trimmed(rest->substr(0, end));
    rest->remove_prefix(end);
    out.well = !out.name.empty() && !out.value.empty();
    return out;
  }
  rest->remove_prefix(1);
  while (!rest->empty() && rest->front() != '"') {
    if (rest->front() == '\\' && rest->size() > 1) rest->remove_prefix(1);
    out.value += rest->front();
    rest->remove_prefix(1);
  }
  out.well = !out.name.empty() && rest->starts_with('"');
  if (out.well) rest->remove_prefix(1);
  *rest = trimmed(*rest);
  out.well = out.well && (rest->empty() || rest->front() == ';');
  return out;
}

}  // namespace

std::optional<std::string> not_json(std::string_view content_type) {
  const auto end = std::min(content_type.find(';'), content_type.size());
  if (!same_word(trimmed(content_type.substr(0, end)), "application/json")) {
    return "unsupported Content-Type: use application/json";
  }
  bool charset = false;
  for (std::string_view rest = content_type.substr(end); !rest.empty();) {
    rest = trimmed(rest.substr(1));  // a semicolon
    if (rest.empty() || rest.front() == ';') continue;
    const Parameter parameter = take_parameter(&rest);
    if (!parameter.well) return "the parameters of Content-Type are malformed";
    if (!same_word(parameter.name, "charset")) continue;
    if (charset) return "Content-Type has two charsets";
    charset = true;
    if (!same_word(parameter.value, "utf-8")) {
      return "unsupported charset '" + parameter.value + "': JSON must be sent as UTF-8";
    }
  }
  return std::nullopt;
}

std::optional<Coding> coding_of(std::string_view content_encoding) {
  const std::string_view word = trimmed(content_encoding);
  if (word.empty() || same_word(word, "identity")) return Coding::none;
  if (same_word(word, "gzip") || same_word(word, "x-gzip")) return Coding::gzip;
  if (same_word(word, "zstd")) return Coding::zstd;
  return std::nullopt;
}

}  // namespace millrace::gateway
