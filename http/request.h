// One HTTP/1.1 request after the other out of the bytes of a connection (RFC 9112), read strictly:
// a proxy in front and this reader must never differ about where a request ends. What two readers
// could read in two ways is refused, and the connection with it.
// Bounds: 8 KiB of request line and headers, 100 headers, the body. Threads: none of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::http {

struct Request {
  std::string method;
  std::string path;  // without the query; percent escapes are decoded
  std::string content_type, content_encoding, authorization, body;
  // Of X-Forwarded-For and X-Forwarded-Proto; several headers are joined with commas.
  std::string forwarded_for, forwarded_proto;
  bool keep_alive = true;
  bool old = false;  // HTTP/1.0
};

struct Fault {
  int status = 0;
  std::string message;
};

class RequestReader {
 public:
  enum class Step {
    more,      // all bytes are taken, the request is not at its end
    go_ahead,  // the client waits for "100 Continue" before it sends the body
    whole,     // request() is there; the bytes that are left belong to the next one
    fault,     // fault() says why; nothing after it can be understood
  };
  explicit RequestReader(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

  // Takes bytes from the front.
  Step read(std::string_view* bytes);
  void next();  // the request was whole: begin another

  [[nodiscard]] Request& request() { return request_; }
  [[nodiscard]] const Fault& fault() const { return fault_; }
  [[nodiscard]] bool begun() const { return state_ != State::head || !line_.empty(); }
  [[nodiscard]] bool in_body() const { return state_ != State::head && state_ != State::whole; }

 private:
  enum class State { head, length, chunk_size, chunk, chunk_end, trailer, whole, failed };
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Step fail(int status, std::string message);
  Step head(std::string_view* bytes);
  Step begin_body(const Fields& fields, bool nothing_follows);
  Step length(std::string_view* bytes);
  Step chunked(std::string_view* bytes);
  // A line that ends with CR LF, without it, into line_; more until it is whole.
  Step line(std::string_view* bytes, std::size_t bytes_max, int status);
  Step chunk_size();
  Step trailer();

  const std::size_t body_bytes_max_;
  State state_ = State::head;
  std::string line_;        // what was taken of the head, or of a line of chunked framing
  std::uint64_t left_ = 0;  // bytes of the body, or of a chunk, still to come
  std::size_t trailer_bytes_ = 0;
  Request request_;
  Fault fault_;
};

}  // namespace millrace::http
