// How tokens are chosen, as a chain of llama.cpp's samplers.
#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>

namespace edgekit {

using Sampler = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

// A temperature of 0 takes the likeliest.
struct Sampling {
  float temperature = 0;
  int top_k = 0;
  float top_p = 1, min_p = 0;
  uint32_t seed = 0;

  // A chain that begins with `first` (nullptr: with none), which it owns.
  Sampler chain(llama_sampler *first) const {
    Sampler made(llama_sampler_chain_init(llama_sampler_chain_default_params()), llama_sampler_free);
    if (first) llama_sampler_chain_add(made.get(), first);
    if (!(temperature > 0)) {
      llama_sampler_chain_add(made.get(), llama_sampler_init_greedy());
      return made;
    }
    llama_sampler_chain_add(made.get(), llama_sampler_init_top_k(top_k));
    llama_sampler_chain_add(made.get(), llama_sampler_init_top_p(top_p, 1));
    llama_sampler_chain_add(made.get(), llama_sampler_init_min_p(min_p, 1));
    llama_sampler_chain_add(made.get(), llama_sampler_init_temp(temperature));
    llama_sampler_chain_add(made.get(), llama_sampler_init_dist(seed));
    return made;
  }
};

}  // namespace edgekit
