#include "quality.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "dispatch.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kRadius = 5;
constexpr std::size_t kWindow = 2 * kRadius + 1;
constexpr double kC1 = (0.01 * 255) * (0.01 * 255);
constexpr double kC2 = (0.03 * 255) * (0.03 * 255);
// exp(-i^2 / (2 * 1.5^2)) for i = 0 to 5, spelt out because exp differs in the last bit between libraries.
constexpr std::array<double, kRadius + 1> kGaussian = {
    1.0, 0.80073740291680806, 0.41111229050718745, 0.13533528323661270, 0.028565500784550377, 0.0038659201394728076};

constexpr std::array<double, kWindow> window() {
  std::array<double, kWindow> w{};
  double sum = 0;
  for (std::size_t i = 0; i < kWindow; ++i) {
    w[i] = kGaussian[i < kRadius ? kRadius - i : i - kRadius];
    sum += w[i];
  }
  for (double& v : w) v /= sum;
  return w;
}
constexpr std::array<double, kWindow> kWeights = window();

void require_same_shape(const Pixels& a, const Pixels& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) {
    throw std::invalid_argument("the images differ in shape");
  }
  if (a.size() == 0) throw std::invalid_argument("the images are empty");
}

double level(const Pixels& image, std::size_t pixel, std::size_t channel) {
  const std::uint8_t* p = image.data.data() + pixel * image.channels;
  if (image.channels == 3 || channel == 3) return p[channel];
  return p[channel] * static_cast<double>(p[3]) / 255.0;
}

// The mean, in one window, of a, b, a^2, b^2 and ab.
using Moments = std::array<double, 5>;

double similarity(const Moments& m) {
  const double var_a = m[2] - m[0] * m[0], var_b = m[3] - m[1] * m[1], cov = m[4] - m[0] * m[1];
  return ((2 * m[0] * m[1] + kC1) * (2 * cov + kC2)) / ((m[0] * m[0] + m[1] * m[1] + kC1) * (var_a + var_b + kC2));
}

double ssim_of_whole(const Pixels& a, const Pixels& b, std::size_t channel) {
  Moments m{};
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double va = level(a, i, channel), vb = level(b, i, channel);
    m[0] += va;
    m[1] += vb;
    m[2] += va * va;
    m[3] += vb * vb;
    m[4] += va * vb;
  }
  for (double& v : m) v /= static_cast<double>(a.size());
  return similarity(m);
}

// to[x] = sum of weight[t] * from[x + t * stride]
CHROMAPRESS_DISPATCH
void convolve(const double* from, std::size_t stride, double* to, std::size_t count) {
  for (std::size_t x = 0; x < count; ++x) to[x] = kWeights[0] * from[x];
  for (std::size_t t = 1; t < kWindow; ++t) {
    const double w = kWeights[t];
    const double* shifted = from + t * stride;
    for (std::size_t x = 0; x < count; ++x) to[x] += w * shifted[x];
  }
}

double ssim_of_channel(const Pixels& a, const Pixels& b, std::size_t channel) {
  const std::size_t width = a.width, columns = a.width - 2 * kRadius, rows = a.height - 2 * kRadius;
  // The last 11 rows of each product, filtered along the row; row y lies in slot y % 11 and again 11 slots later, so
  // that any 11 rows lie in order.
  std::array<std::vector<double>, 5> ring, filtered;
  for (auto& r : ring) r.resize(2 * kWindow * columns);
  for (auto& f : filtered) f.resize(columns);
  std::array<std::vector<double>, 5> products;
  for (auto& p : products) p.resize(width);
  double sum = 0;
  for (std::size_t y = 0; y < a.height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const double va = level(a, y * width + x, channel), vb = level(b, y * width + x, channel);
      products[0][x] = va;
      products[1][x] = vb;
      products[2][x] = va * va;
      products[3][x] = vb * vb;
      products[4][x] = va * vb;
    }
    const std::size_t slot = y % kWindow;
    for (std::size_t q = 0; q < 5; ++q) {
      double* row = ring[q].data() + slot * columns;
      convolve(products[q].data(), 1, row, columns);
      std::copy_n(row, columns, row + kWindow * columns);
    }
    if (y + 1 < kWindow) continue;
    const std::size_t first = (y + 1) % kWindow;
    for (std::size_t q = 0; q < 5; ++q) {
      convolve(ring[q].data() + first * columns, columns, filtered[q].data(), columns);
    }
    for (std::size_t x = 0; x < columns; ++x) {
      sum += similarity({filtered[0][x], filtered[1][x], filtered[2][x], filtered[3][x], filtered[4][x]});
    }
  }
  return sum / static_cast<double>(columns * rows);
}

}  // namespace

double psnr(const Pixels& a, const Pixels& b) {
  require_same_shape(a, b);
  double error = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t c = 0; c < a.channels; ++c) {
      const double difference = level(a, i, c) - level(b, i, c);
      error += difference * difference;
    }
  }
  if (error == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.size() * a.channels) / error);
}

double ssim(const Pixels& a, const Pixels& b) {
  require_same_shape(a, b);
  const bool whole = a.width < kWindow || a.height < kWindow;
  double sum = 0;
  for (std::size_t c = 0; c < a.channels; ++c) sum += whole ? ssim_of_whole(a, b, c) : ssim_of_channel(a, b, c);
  return sum / static_cast<double>(a.channels);
}

}  // namespace chromapress
