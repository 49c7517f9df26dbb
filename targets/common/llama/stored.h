// Beginnings of prompts on disk: a file holds what llama.cpp computed of one (its state), and all that this depends on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace edgekit {

using State = std::vector<uint8_t>;

// The file of a beginning. Nothing here throws: a file that cannot be read is not there, one that cannot be written is
// not kept.
class Stored {
 public:
  // `folder`: of the app, which may not be there yet. `key`: all that the state depends on, byte for byte.
  Stored(const std::string &folder, std::string key);

  // Its state, and that it was used now; empty where there is none, where it was cut or changed, or is of another key.
  State read() const;

  // Keeps a state, unless it is empty, in the place of an earlier one: whole, or not at all. Files that were used longest ago go.
  void write(const State &state) const;

 private:
  std::string folder_, key_, path_;
};

}  // namespace edgekit
