#include "png_order.hpp"

#include <algorithm>
#include <numeric>

#include "palette_order.hpp"

namespace chromapress {
namespace {

std::vector<std::uint8_t> as_given(const Indexed& image) {
  std::vector<std::uint8_t> entries(image.palette.size());
  std::iota(entries.begin(), entries.end(), std::uint8_t{0});
  return entries;
}

std::vector<std::uint8_t> by_lightness(const Indexed& image) {
  std::vector<std::uint8_t> entries = as_given(image);
  const auto weight = [&image](std::uint8_t i) {
    const Rgba c = image.palette[i];
    return c.a << 16 | (30 * c.r + 59 * c.g + 11 * c.b);  // Rec. 601's luma in hundredths
  };
  std::stable_sort(entries.begin(), entries.end(),
                   [&weight](std::uint8_t a, std::uint8_t b) { return weight(a) < weight(b); });
  return entries;
}

std::vector<std::uint8_t> alternating(const Indexed& image) {
  const std::vector<std::uint8_t> sorted = by_lightness(image);
  std::vector<std::uint8_t> entries = sorted;
  const std::size_t first = alpha_bytes(image.palette), half = (entries.size() - first + 1) / 2;
  for (std::size_t i = 0; first + i < entries.size(); ++i) entries[first + i] = sorted[first + i % 2 * half + i / 2];
  return entries;
}

std::vector<std::uint8_t> edge_first(const Indexed& image, std::size_t width) {
  std::array<std::size_t, kMaxColors> counts{};
  for (std::size_t at = 0; at < image.indices.size(); at += width) {
    ++counts[image.indices[at]];
    ++counts[image.indices[at + width - 1]];
  }
  std::vector<std::uint8_t> entries = as_given(image);
  const auto most = entries.begin() + (std::max_element(counts.begin(), counts.end()) - counts.begin());
  std::rotate(entries.begin(), most, most + 1);
  return entries;
}

}  // namespace

std::vector<std::uint8_t> entries_in(Order order, const Indexed& image, std::size_t width, std::size_t step,
                                     std::size_t exchanges) {
  if (order == Order::given) return as_given(image);
  if (order == Order::lightness) return by_lightness(image);
  if (order == Order::alternating) return alternating(image);
  if (order == Order::edge) return edge_first(image, width);
  const std::size_t first = order == Order::two_parts ? alpha_bytes(image.palette) : 0;
  return palette_order(Neighbors(image.indices, width, image.palette.size(), step), first, exchanges);
}

Indexed reordered(const Indexed& image, std::span<const std::uint8_t> order) {
  std::array<std::uint8_t, kMaxColors> position{};
  Indexed result;
  for (const std::uint8_t entry : order) {
    position[entry] = static_cast<std::uint8_t>(result.palette.size());
    result.palette.push_back(image.palette[entry]);
  }
  result.indices.resize(image.indices.size());
  std::transform(image.indices.begin(), image.indices.end(), result.indices.begin(),
                 [&position](std::uint8_t i) { return position[i]; });
  return result;
}

std::size_t alpha_bytes(std::span<const Rgba> palette) {
  const auto last = std::find_if(palette.rbegin(), palette.rend(), [](Rgba c) { return c.a != 255; });
  return static_cast<std::size_t>(palette.rend() - last);
}

}  // namespace chromapress
