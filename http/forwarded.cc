#include "http/forwarded.h"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>

namespace millrace::http {
namespace {

using Number = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d

constexpr std::size_t four_at = 12, mapped_bits = 96, number_bits = 128;
constexpr Number mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_four(const Number& number) {
  return std::equal(number.begin(), number.begin() + four_at, mapped.begin());
}

std::optional<Number> number_of(std::string_view text) {
  const std::string word(text);
  Number number = mapped;
  if (inet_pton(AF_INET, word.c_str(), number.data() + four_at) == 1) return number;
  if (inet_pton(AF_INET6, word.c_str(), number.data()) == 1) return number;
  return std::nullopt;
}

std::string text_of(const Number& number) {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_four(number)) {
    inet_ntop(AF_INET, number.data() + four_at, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, number.data(), text, sizeof text);
  }
  return text;
}

bool bit_of(const Number& number, std::size_t at) {
  return (number[at / 8] >> (7 - at % 8) & 1) != 0;
}

bool lies_in(const Number& number, const Network& network) {
  if (is_four(number) != is_four(network.address)) return false;
  for (std::size_t at = 0; at < network.bits; ++at) {
    if (bit_of(number, at) != bit_of(network.address, at)) return false;
  }
  return true;
}

bool is_trusted(const Number& number, const std::vector<Network>& trusted) {
  return std::any_of(trusted.begin(), trusted.end(),
                     [&](const Network& network) { return lies_in(number, network); });
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Takes the last item of a list with commas; some proxies leave empty ones.
std::string_view take_last(std::string_view* list) {
  const auto comma = list->rfind(',');
  const bool one = comma == std::string_view::npos;
  const auto item = trimmed(one ? *list : list->substr(comma + 1));
  *list = one ? std::string_view{} : list->substr(0, comma);
  return item;
}

// Some proxies append the port: 192.0.2.1:4711, [2001:db8::1]:4711.
std::optional<Number> forwarded_number(std::string_view item) {
  if (item.starts_with('[')) {
    const auto end = item.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto rest = item.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return std::nullopt;
    return number_of(item.substr(1, end - 1));
  }
  if (std::count(item.begin(), item.end(), ':') == 1) item = item.substr(0, item.find(':'));
  return number_of(item);
}

Number client_of(Number nearest, std::string_view list, const std::vector<Network>& trusted) {
  while (!list.empty() && is_trusted(nearest, trusted)) {
    const auto item = take_last(&list);
    if (item.empty()) continue;
    const auto number = forwarded_number(item);
    if (!number) break;
    nearest = *number;
  }
  return nearest;
}

// Of "https, https" too, where several proxies appended what they saw.
bool all_https(std::string_view list) {
  bool https = true;
  while (https && !list.empty()) https = same_word(take_last(&list), "https");
  return https;
}

}  // namespace

std::optional<Network> parse_network(std::string_view text) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto number = number_of(text.substr(0, slash));
  if (!number) return std::nullopt;
  const bool four = text.substr(0, slash).find(':') == std::string_view::npos;
  const std::size_t bits_max = four ? number_bits - mapped_bits : number_bits;
  std::size_t bits = bits_max;
  if (slash < text.size()) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (wrong != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  }
  if (bits > bits_max) return std::nullopt;
  if (four) bits += mapped_bits;
  if (is_four(*number) && bits < mapped_bits) return std::nullopt;
  for (std::size_t at = bits; at < number_bits; ++at) {
    if (bit_of(*number, at)) return std::nullopt;
  }
  return Network{*number, bits};
}

Caller caller_of(const Origin& origin, const std::vector<Network>& trusted) {
  const auto peer = number_of(origin.peer);
  if (!peer) return {origin.peer, origin.tls};
  if (!is_trusted(*peer, trusted)) return {text_of(*peer), origin.tls};
  const bool secure =
      origin.forwarded_proto.empty() ? origin.tls : all_https(origin.forwarded_proto);
  return {text_of(client_of(*peer, origin.forwarded_for, trusted)), secure};
}

}  // namespace millrace::http
