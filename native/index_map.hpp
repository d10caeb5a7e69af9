// An image as numbers of palette entries: what the encoders of files take.
#pragma once

#include <cstdint>
#include <span>

namespace chromapress {

/// Row-major.
struct IndexMap {
  std::span<const std::uint8_t> indices;
  std::size_t width = 0, height = 0;
};

}  // namespace chromapress
