// A connection: reads one request after the other, writes a response to each, and closes.
// Lives on the loop's thread; its owner holds it until it says that it is closed.
#pragma once

#include "http/request.h"
#include "http/server.h"
#include "http/tls.h"

#include <uv.h>
#include <list>
#include <memory>
#include <string>

namespace millrace::http {

class Connection;
using ConnectionRef = std::shared_ptr<Connection>;

class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void on_request(const ConnectionRef& from) = 0;
  virtual void on_spoken(Connection* from) = 0;   // a request of it is whole
  virtual void on_idle(Connection* from) = 0;     // its response is sent, and no request begun
  virtual void on_closing(Connection* from) = 0;  // its descriptor goes with this
  virtual void on_closed(Connection* from) = 0;   // it may go
  [[nodiscard]] virtual bool last_answers() const = 0;  // connections end with their answer
  [[nodiscard]] virtual const ServerOptions& options() const = 0;
  [[nodiscard]] virtual SSL_CTX* tls() const = 0;  // of new connections; null: in the clear
  [[nodiscard]] virtual ServerCounters& counters() = 0;
  [[nodiscard]] virtual std::size_t& held_bytes() = 0;  // of all bodies
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionOwner& owner, uv_loop_t* loop);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False where the socket is gone already.
  [[nodiscard]] bool accept(uv_stream_t* listener);
  void answer(const Response& response);  // to the request that was handed over
  void refuse(int status, const std::string& why);
  void close();
  void look_at_clock();  // gives up a client that is silent for too long
  [[nodiscard]] bool idle() const { return state_ == State::reading && !reader_.begun(); }
  [[nodiscard]] Request& request() { return reader_.request(); }
  [[nodiscard]] const std::string& peer() const { return peer_; }  // its address by its number
  [[nodiscard]] bool secure() const { return tls_ != nullptr; }

  std::list<Connection*>::iterator place;  // the owner's

 private:
  enum class State { reading, asked, writing, lingering, closed };

  void read_more();
  void open(std::string_view sealed);
  void take(std::string_view bytes);
  void hold(std::size_t bytes);
  void go_ahead();
  void write(const Response& response, bool last, bool linger);
  void send(std::string bytes, bool last, bool linger);
  void send_beside(std::string bytes);
  void say_farewell();
  void written(bool well);
  [[nodiscard]] std::uint64_t in(std::chrono::milliseconds span) const;
  void await(std::chrono::milliseconds span);

  static void on_bytes(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);

  ConnectionOwner& owner_;
  uv_tcp_t socket_{};
  uv_write_t writing_{};
  uv_shutdown_t shutting_{};
  State state_ = State::reading;
  std::string peer_;
  std::unique_ptr<TlsSession> tls_;  // null: in the clear
  RequestReader reader_;
  std::size_t held_ = 0;  // its part of the owner's held_bytes
  std::string ahead_;     // bytes of a request that came before the answer to the one in front
  std::string out_;
  bool last_ = false, linger_ = false;
  std::uint64_t deadline_ms_ = 0, request_deadline_ms_ = 0, lingered_bytes_ = 0;
};

}  // namespace millrace::http
