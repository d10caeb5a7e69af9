// libFuzzer: any bytes as an image, through histogram, K-means, silhouette, mapping and quality, with their promises.
#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "curve.hpp"
#include "kmeans.hpp"
#include "map.hpp"
#include "quality.hpp"
#include "silhouette.hpp"

using namespace chromapress;

namespace {

Clustering scored_by_the_curve(const HistogramView& view, const KMeansOptions& options) {
  const ScoredClustering scored = Curve(view, options).scored({&options.k, 1}, 1)[0];
  if (scored.silhouette < -1 || scored.silhouette > 1 || !(scored.error >= 0)) std::abort();
  return scored.clustering;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 8) return 0;
  const std::size_t channels = 3 + data[0] % 2, width = 1 + data[1] % 64;
  const std::size_t k = std::size_t{data[2]} + 1;
  const ColorSpace space = data[3] % 2 == 0 ? ColorSpace::srgb : ColorSpace::oklab;
  const double dither = (data[4] % 5) / 4.0;
  const std::size_t protected_count = data[5] % 4;
  const std::span<const std::uint8_t> bytes(data + 6, size - 6);
  const std::size_t height = bytes.size() / (width * channels);
  if (height == 0) return 0;
  const Pixels pixels{bytes.first(width * height * channels), width, height, channels};
  const Histogram h = histogram(pixels);
  const HistogramView view{h.colors, h.counts};
  std::vector<Rgba> protected_colors(
      h.colors.begin(), h.colors.begin() + static_cast<std::ptrdiff_t>(std::min(protected_count, h.colors.size())));
  Clustering c;
  try {
    const KMeansOptions options{
        .k = k, .start = {}, .protected_colors = protected_colors, .space = space, .max_iterations = {}};
    c = data[4] % 2 == 0 ? kmeans(view, options) : scored_by_the_curve(view, options);
  } catch (const std::invalid_argument&) {
    return 0;  // k is less than the kinds of colour need
  }
  std::int64_t total = 0;
  std::vector<Rgba> palette;
  for (std::size_t j = 0; j < c.centres.size(); ++j) {
    if (c.sizes[j] == 0 && j >= protected_colors.size()) std::abort();
    total += c.sizes[j];
    palette.push_back(to_straight(c.centres[j]));
  }
  if (total != static_cast<std::int64_t>(pixels.size())) std::abort();
  if (c.centres.size() > 1) {
    try {
      const double score = silhouette(view, c.labels);
      if (!(score >= -1 && score <= 1)) std::abort();
    } catch (const std::invalid_argument&) {
      // All colours are in one cluster, beside protected ones.
    }
  }
  const std::vector<std::uint8_t> indices = map_pixels(pixels, palette, space, dither);
  std::vector<std::uint8_t> mapped;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Rgba p = palette[indices[i]];
    if (!may_become(kind_of(pixels.at(i)), kind_of(p))) std::abort();
    mapped.insert(mapped.end(), {p.r, p.g, p.b});
    if (channels == 4) mapped.push_back(p.a);
  }
  const double similarity = ssim(pixels, {mapped, width, height, channels});
  if (!(similarity >= -1.000001 && similarity <= 1.000001)) std::abort();
  if (!(psnr(pixels, {mapped, width, height, channels}) >= 0)) std::abort();
  return 0;
}
