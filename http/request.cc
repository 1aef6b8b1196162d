#include "http/request.h"

#include "http/head.h"

#include <algorithm>

namespace millrace::http {
namespace {

constexpr std::size_t head_bytes_max = 8U << 10;
constexpr std::size_t chunk_line_bytes_max = 256, chunk_digits_max = 8;

// A line feed that no carriage return precedes ends a line for some readers and not for others.
bool has_lone_feed(std::string_view text, std::size_t from) {
  for (auto at = text.find('\n', from); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

}  // namespace

RequestReader::Step RequestReader::fail(int status, std::string message) {
  state_ = State::failed;
  fault_ = {status, std::move(message)};
  return Step::fault;
}

void RequestReader::next() {
  state_ = State::head;
  line_.clear();
  left_ = 0;
  trailer_bytes_ = 0;
  request_ = {};
}

RequestReader::Step RequestReader::read(std::string_view* bytes) {
  switch (state_) {
    case State::head: return head(bytes);
    case State::length: return length(bytes);
    case State::whole: return Step::whole;
    case State::failed: return Step::fault;
    default: return chunked(bytes);
  }
}

RequestReader::Step RequestReader::head(std::string_view* bytes) {
  const std::size_t before = line_.size();
  const std::size_t room = std::min(head_bytes_max - before, bytes->size());
  line_.append(bytes->substr(0, room));
  // An empty line before a request is passed over, as old clients leave one after a body.
  const std::size_t begin = line_.starts_with("\r\n") ? 2 : 0;
  const auto end = line_.find("\r\n\r\n", std::max(begin, before < 3 ? 0 : before - 3));
  const std::size_t taken = end == std::string::npos ? line_.size() : end + 4;
  if (has_lone_feed(std::string_view(line_).substr(0, taken), before)) {
    return fail(400, "a line must end with CR LF, not with LF alone");
  }
  bytes->remove_prefix(taken - before);
  line_.resize(taken);
  if (end == std::string::npos) {
    if (line_.size() < head_bytes_max) return Step::more;
    const bool in_first_line = line_.find("\r\n", begin) == std::string::npos;
    return in_first_line ? fail(414, "the request line is longer than 8192 bytes")
                         : fail(431, "the request line and the headers are longer than 8192 bytes");
  }
  Head read;
  if (auto fault = read_head(std::string_view(line_).substr(begin, end + 2 - begin), &read)) {
    return fail(fault->status, std::move(fault->message));
  }
  request_ = std::move(read.request);
  const Step step = begin_body(read.fields, bytes->empty());
  return step == Step::more && !bytes->empty() ? this->read(bytes) : step;
}

RequestReader::Step RequestReader::begin_body(const Fields& fields, bool nothing_follows) {
  Framing framing;
  if (auto fault = read_framing(fields, request_.old, &framing)) {
    return fail(fault->status, std::move(fault->message));
  }
  if (framing.length > body_bytes_max_) {
    return fail(413, "the body is larger than " + std::to_string(body_bytes_max_) + " bytes");
  }
  line_.clear();
  left_ = framing.length;
  state_ = framing.chunked ? State::chunk_size : left_ > 0 ? State::length : State::whole;
  if (state_ == State::whole) return Step::whole;
  return framing.go_ahead && nothing_follows ? Step::go_ahead : Step::more;
}

RequestReader::Step RequestReader::length(std::string_view* bytes) {
  const auto some = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes->size()));
  request_.body.append(bytes->substr(0, some));
  bytes->remove_prefix(some);
  left_ -= some;
  if (left_ > 0) return Step::more;
  state_ = State::whole;
  return Step::whole;
}

RequestReader::Step RequestReader::line(std::string_view* bytes, std::size_t bytes_max,
                                        int status) {
  const auto feed = bytes->find('\n');
  const bool whole = feed != std::string_view::npos;
  const std::size_t taken = whole ? feed + 1 : bytes->size();
  line_.append(bytes->substr(0, std::min(taken, bytes_max + 2)));
  bytes->remove_prefix(taken);
  if (line_.size() > bytes_max) return fail(status, "a line of chunked framing is too long");
  if (!whole) return Step::more;
  if (!line_.ends_with("\r\n")) return fail(400, "a line must end with CR LF, not with LF alone");
  line_.resize(line_.size() - 2);
  if (line_.find('\r') != std::string::npos) return fail(400, "a line must end with CR LF");
  return Step::whole;
}

RequestReader::Step RequestReader::chunked(std::string_view* bytes) {
  for (;;) {
    if (state_ == State::chunk) {
      const auto some = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes->size()));
      request_.body.append(bytes->substr(0, some));
      bytes->remove_prefix(some);
      left_ -= some;
      if (left_ > 0) return Step::more;
      state_ = State::chunk_end;
    }
    const std::size_t line_max =
        state_ == State::trailer ? head_bytes_max - trailer_bytes_ : chunk_line_bytes_max;
    Step step = line(bytes, line_max, state_ == State::trailer ? 431 : 400);
    if (step != Step::whole) return step;
    if (state_ == State::chunk_size)
      step = chunk_size();
    else if (state_ == State::trailer)
      step = trailer();
    else if (!line_.empty())
      return fail(400, "a chunk is longer than its declared size");
    else
      state_ = State::chunk_size;
    line_.clear();
    if (step == Step::fault || state_ == State::whole) return step;
  }
}

RequestReader::Step RequestReader::chunk_size() {
  const auto end = std::min(line_.find(';'), line_.size());
  const std::string_view digits = std::string_view(line_).substr(0, end);
  left_ = 0;
  for (const char c : digits) {
    const auto value = std::string_view("0123456789abcdef")
                           .find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    if (value == std::string_view::npos)
      return fail(400, "the size of a chunk must be hexadecimal");
    left_ = left_ * 16 + value;
  }
  if (digits.empty() || digits.size() > chunk_digits_max) {
    return fail(400, "the size of a chunk must have 1 to 8 digits");
  }
  HeaderFields extension;  // what may stand in a header may stand here; it means nothing to us
  if (read_field("x:" + line_.substr(end), &extension)) {
    return fail(400, "an extension of a chunk is malformed");
  }
  if (request_.body.size() + left_ > body_bytes_max_) {
    return fail(413, "the body is larger than " + std::to_string(body_bytes_max_) + " bytes");
  }
  state_ = left_ > 0 ? State::chunk : State::trailer;
  return Step::more;
}

RequestReader::Step RequestReader::trailer() {
  if (line_.empty()) {
    state_ = State::whole;
    return Step::whole;
  }
  trailer_bytes_ += line_.size() + 2;
  HeaderFields ignored;
  if (auto fault = read_field(line_, &ignored)) return fail(fault->status, fault->message);
  return Step::more;
}

}  // namespace millrace::http
