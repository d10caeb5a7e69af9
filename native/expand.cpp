#include "expand.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <stdexcept>

namespace chromapress {

std::vector<std::int64_t> expand(std::span<const std::uint8_t> indices, std::span<const Rgba> palette,
                                 std::size_t channels, std::span<std::uint8_t> pixels) {
  if (palette.empty() || palette.size() > kMaxColors) throw std::invalid_argument("a palette has 1 to 256 entries");
  std::array<Rgba, kMaxColors> colors{};
  std::copy(palette.begin(), palette.end(), colors.begin());
  // Neighbours, which are often equal, count in different tables: none waits for the other's sum.
  constexpr std::size_t kTables = 4;
  std::array<std::array<std::int64_t, kMaxColors>, kTables> counts{};
  std::uint8_t* out = pixels.data();
  for (std::size_t i = 0; i < indices.size(); ++i, out += channels) {
    ++counts[i % kTables][indices[i]];
    // Four bytes at once are quicker than three; the next pixel, where there is one, overwrites the fourth.
    std::memcpy(out, &colors[indices[i]], i + 1 < indices.size() ? sizeof(Rgba) : channels);
  }
  std::vector<std::int64_t> sizes(kMaxColors);
  for (const auto& table : counts)
    std::transform(sizes.begin(), sizes.end(), table.begin(), sizes.begin(), std::plus());
  if (std::any_of(sizes.begin() + static_cast<std::ptrdiff_t>(palette.size()), sizes.end(),
                  [](auto n) { return n > 0; })) {
    throw std::invalid_argument("an index is that of no palette entry");
  }
  sizes.resize(palette.size());
  return sizes;
}

}  // namespace chromapress
