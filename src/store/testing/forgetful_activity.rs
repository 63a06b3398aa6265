//! An activity log that costs nothing: what a use case takes without its record.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::activity::{
    ActivityCommit, ActivityError, ActivityFilter, ActivityLog, ActivityPage, ActivityUnavailable,
    ClosedSegment, KeptVoucher, RecordedActivity, SegmentNumber, VerifiedDigest,
};
use crate::error::ReadError;
use crate::position::Position;

/// Acknowledges everything at once and keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForgetfulActivity;

#[async_trait]
impl ActivityLog for ForgetfulActivity {
    async fn append(&self, _: ActivityCommit) -> Result<Position, ActivityError> {
        Ok(Position::ORIGIN)
    }

    async fn voucher(&self, _: &'static str, _: &str) -> Result<Option<KeptVoucher>, ReadError> {
        Ok(None)
    }

    async fn counted(&self, _: &str) -> Result<u64, ReadError> {
        Ok(0)
    }

    async fn forget_vouchers(&self, _: Timestamp) -> Result<(), ActivityUnavailable> {
        Ok(())
    }

    fn keep_digest(&self, _: VerifiedDigest) {}

    async fn digest(&self, _: &str) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(None)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Ok(Position::ORIGIN)
    }

    async fn read(&self, _: &ActivityFilter, _: ActivityPage) -> Result<Vec<RecordedActivity>, ReadError> {
        Ok(Vec::new())
    }

    async fn last_used(&self, _: &[String]) -> Result<HashMap<String, Timestamp>, ReadError> {
        Ok(HashMap::new())
    }

    async fn last_used_by(&self, _: &[String]) -> Result<HashMap<String, Timestamp>, ReadError> {
        Ok(HashMap::new())
    }

    async fn segment_to_close(
        &self,
        _: Timestamp,
    ) -> Result<Option<(SegmentNumber, Position, Position)>, ReadError> {
        Ok(None)
    }

    async fn close_segment(&self, _: ClosedSegment) -> Result<(), ActivityUnavailable> {
        Ok(())
    }

    async fn close(&self) {}

    async fn closed_segments(
        &self,
        _: Option<SegmentNumber>,
        _: usize,
    ) -> Result<Vec<ClosedSegment>, ReadError> {
        Ok(Vec::new())
    }
}
