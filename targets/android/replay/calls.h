// Files of calls and answers, in the form of targets/common/calls.py: what every program here reads and writes.
// A file from outside is not believed: sizes are bounded, and one that ends early is an error.

#ifndef EDGEKIT_PHONE_CALLS_H
#define EDGEKIT_PHONE_CALLS_H

#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace calls {

constexpr uint32_t kMagic = 0x31434b45;  // "EKC1"
constexpr uint32_t kMostTensors = 4096, kMostAxes = 16, kLongestName = 4096;
constexpr uint64_t kMostBytes = uint64_t{1} << 32;

// Types are ONNX's numbers (onnx.TensorProto.DataType).
enum Type : uint32_t { kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7, kBool = 9, kHalf = 10, kDouble = 11 };

struct Tensor {
  std::string name;
  uint32_t type{};
  std::vector<int64_t> shape;
  std::vector<char> data;
};

// Bytes of one value.
inline size_t size_of(uint32_t type) {
  switch (type) {
    case kUint8:
    case kInt8:
    case kBool:
      return 1;
    case kHalf:
      return 2;
    case kFloat:
    case kInt32:
      return 4;
    case kInt64:
    case kDouble:
      return 8;
    default:
      throw std::runtime_error("a tensor has a type that this program does not know");
  }
}

template <class T>
T number(std::istream& in) {
  T value{};
  if (!in.read(reinterpret_cast<char*>(&value), sizeof value)) throw std::runtime_error("the file of calls ends early");
  return value;
}

inline uint32_t count(std::istream& in, uint32_t most) {
  const auto value = number<uint32_t>(in);
  if (value > most) throw std::runtime_error("the file of calls is damaged");
  return value;
}

template <class T>
void put(std::ostream& out, T value) {
  out.write(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void bytes(std::istream& in, std::vector<char>& data, uint64_t size) {
  if (size > kMostBytes) throw std::runtime_error("the file of calls is damaged");
  data.resize(size);
  if (size && !in.read(data.data(), static_cast<std::streamsize>(size)))
    throw std::runtime_error("the file of calls ends early");
}

// Starts both files; returns how many calls there are.
inline uint32_t begin(std::istream& in, std::ostream& out) {
  if (number<uint32_t>(in) != kMagic) throw std::runtime_error("this is no file of calls");
  const auto asked = count(in, kMostTensors);
  put(out, kMagic);
  put(out, asked);
  return asked;
}

// The tensors of the next call.
inline std::vector<Tensor> read(std::istream& in) {
  std::vector<Tensor> tensors(count(in, kMostTensors));
  for (auto& tensor : tensors) {
    std::vector<char> name;
    bytes(in, name, count(in, kLongestName));
    tensor.name.assign(name.begin(), name.end());
    tensor.type = number<uint32_t>(in);
    tensor.shape.resize(count(in, kMostAxes));
    for (auto& axis : tensor.shape) axis = number<int64_t>(in);
    bytes(in, tensor.data, number<uint64_t>(in));
  }
  return tensors;
}

inline void write(std::ostream& out, const std::vector<Tensor>& tensors) {
  put(out, static_cast<uint32_t>(tensors.size()));
  for (const auto& tensor : tensors) {
    put(out, static_cast<uint32_t>(tensor.name.size()));
    out.write(tensor.name.data(), static_cast<std::streamsize>(tensor.name.size()));
    put(out, tensor.type);
    put(out, static_cast<uint32_t>(tensor.shape.size()));
    for (const auto axis : tensor.shape) put<int64_t>(out, axis);
    put<uint64_t>(out, tensor.data.size());
    out.write(tensor.data.data(), static_cast<std::streamsize>(tensor.data.size()));
  }
}

inline void end(std::istream& in, std::ofstream& out) {
  out.close();
  if (!in || !out) throw std::runtime_error("a file of calls could not be read or written");
}

}  // namespace calls

#endif
